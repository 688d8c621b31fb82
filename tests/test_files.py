"""A file is written whole or not at all."""

import contextlib
import os
import stat
import threading
from pathlib import Path

import pytest

from parity.files import write_atomically


def test_text_is_written_as_utf_8_and_bytes_as_they_are(tmp_path):
    write_atomically(tmp_path / "text", "größer ✓\n")
    write_atomically(tmp_path / "bytes", b"\x00\xff\r\n")
    assert (tmp_path / "text").read_bytes() == "größer ✓\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff\r\n"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=repr)
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch, interruption, moment):
    def stop(*_):
        raise interruption

    target = tmp_path / "report.json"
    target.write_text("old")
    monkeypatch.setattr(*((os, "fsync") if moment == "fsync" else (Path, "replace")), stop)
    with pytest.raises(type(interruption)):
        write_atomically(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_the_check_above_catches_a_write_in_place(tmp_path):
    target = tmp_path / "report.json"
    target.write_text("old")
    with contextlib.suppress(KeyboardInterrupt), target.open("w") as file:
        file.write("n")
        raise KeyboardInterrupt
    assert target.read_text() != "old"


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError) as told:
        write_atomically(tmp_path / "not here" / "report.html", "")
    assert f"cannot write {tmp_path}/not here/report.html: there is no folder {tmp_path}/not here" in str(told.value)
    assert f"mkdir -p '{tmp_path}/not here'" in str(told.value)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="it is a folder, wanted a file; name a file in it"):
        write_atomically(tmp_path, "")


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"file is no folder; choose another place"):
        write_atomically(tmp_path / "file" / "report.json", "")


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match="may not be written to; choose another place"):
        write_atomically(tmp_path / "report.json", "")


def test_a_full_disk_is_told_as_the_system_tells_it(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left on device; free some space or choose another place"):
        write_atomically(tmp_path / "report.json", "")


def test_a_new_file_has_the_permissions_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "report", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o640


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path):
    (tmp_path / "report").write_text("old")
    (tmp_path / "report").chmod(0o604)
    write_atomically(tmp_path / "report", "new")
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o604


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "report")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "report").read_text() == "new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_atomically(pipe, "through")
    reader.join(timeout=10)
    assert read == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_long_name_needs_no_longer_one_beside_it(tmp_path):
    name = "r" * 255
    write_atomically(tmp_path / name, "whole")
    assert (tmp_path / name).read_text() == "whole"

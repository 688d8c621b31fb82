"""Files that are written whole or not at all; where fsspec is installed, behind a URL too."""

import contextlib
import os
import re
import secrets
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    The content goes to a temporary file beside the target, is flushed to the disk, and takes the target's name in one
    step. A failure or an interrupt leaves the target as it was and nothing beside it. A link is followed; a file that
    is replaced keeps its permissions. What is no regular file, such as /dev/null or a pipe, is written to as it stands.
    Behind a URL the content goes up under another name and takes its own in one step, as far as that store has one.

    Args:
        path: The file to write, or a URL such as s3://bucket/name.
        content: Its text, written as UTF-8, or its bytes.

    Raises:
        OSError: If it cannot be written; the message says what, where and the next step.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomically(f"{folder}/losses.csv", "step,loss")
        ...     Path(f"{folder}/losses.csv").read_text(), [p.name for p in Path(folder).iterdir()]
        ('step,loss', ['losses.csv'])
    """
    with open_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def open_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing bytes piece by piece; it takes its name, as `write_atomically` says, when all are there.

    Args:
        path: The file to write, or a URL.

    Yields:
        The open file; what raises before it is left leaves the target as it was and nothing beside it.

    Raises:
        OSError: As `write_atomically`.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         with open_atomically(f"{folder}/run.bin") as file:
        ...             done = file.write(b"half")
        ...             raise KeyboardInterrupt
        ...     except KeyboardInterrupt:
        ...         list(Path(folder).iterdir())
        []
    """
    if is_url(path):
        with _uploaded(str(path)) as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError
        regular = mode is None or stat.S_ISREG(mode)
        with _replaced(target, mode) if regular else target.open("wb") as file:
            yield file
    except OSError as error:
        raise type(error)(f"cannot write {path}: {_reason(error, target)}") from error


@contextlib.contextmanager
def open_to_read(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, seekable.

    Args:
        path: A regular file, or a URL such as s3://bucket/name.

    Yields:
        The open file.

    Raises:
        FileNotFoundError: If there is none of that name.
        OSError: If it is none that can be read, or fsspec is needed and not installed; the message says so.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as written:
        ...     write_atomically(written.name, b"0123456789")
        ...     with open_to_read(written.name) as file:
        ...         file.seek(8), file.read()
        (8, b'89')
    """
    if is_url(path):
        system, name = _store(str(path))
        with _in_words(str(path), "read"):
            file = system.open(name, "rb")
        with file:
            yield file
        return
    if Path(path).exists() and not Path(path).is_file():
        raise OSError("it is no regular file")
    with Path(path).open("rb") as local:
        yield local


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a URL, which fsspec opens.

    Examples:
        >>> is_url("s3://bucket/a.trace"), is_url("simplecache::s3://bucket/a"), is_url("runs/a.trace")
        (True, True, False)
    """
    return re.match(r"[A-Za-z][\w+.-]*(://|::)", str(path)) is not None


@contextlib.contextmanager
def _uploaded(url: str) -> Iterator[BinaryIO]:
    system, name = _store(url)
    folder, _, _ = name.rpartition("/")
    part = f"{folder}/.parity-{secrets.token_hex(8)}.part" if folder else f".parity-{secrets.token_hex(8)}.part"
    with _in_words(url, "write"):
        try:
            with system.open(part, "wb") as file:
                yield file
            system.mv(part, name)
        except BaseException:  # Ctrl-C too leaves nothing behind
            with contextlib.suppress(Exception):
                system.rm_file(part)
            raise


def _store(url: str) -> tuple[Any, str]:
    """The file system of a URL and the name in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise OSError(f"cannot open {url}: a URL needs fsspec, which is not installed; pip install fsspec") from error
    with _in_words(url, "open"):
        return url_to_fs(url)


@contextlib.contextmanager
def _in_words(url: str, verb: str) -> Iterator[None]:
    """Each file system has errors of its own; they come back as an OSError that names the URL."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"cannot {verb} {url}: there is no such file or folder") from error
    except Exception as error:
        raise OSError(f"cannot {verb} {url}: {str(error) or type(error).__name__}") from error


@contextlib.contextmanager
def _replaced(target: Path, mode: int | None) -> Iterator[BinaryIO]:
    part = target.with_name(f".parity-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            part.chmod(stat.S_IMODE(mode))
        part.replace(target)
    except BaseException:  # Ctrl-C too leaves nothing behind
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _reason(error: OSError, target: Path) -> str:
    folder = target.parent
    if isinstance(error, IsADirectoryError):
        return "it is a folder, wanted a file; name a file in it"
    if isinstance(error, FileNotFoundError) and not folder.exists():
        return f"there is no folder {folder}; make it: mkdir -p {shlex.quote(str(folder))}"
    if isinstance(error, NotADirectoryError):
        return f"{folder} is no folder; choose another place"
    if isinstance(error, PermissionError):
        return f"the folder {folder} may not be written to; choose another place"
    return f"{error.strerror or error}; free some space or choose another place"

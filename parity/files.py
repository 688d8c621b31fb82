"""Files that are written whole or not at all."""

import contextlib
import os
import secrets
import shlex
import stat
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    The content goes to a temporary file beside the target, is flushed to the disk, and takes the target's name in one
    step. A failure or an interrupt leaves the target as it was and nothing beside it. A link is followed; a file that
    is replaced keeps its permissions. What is no regular file, such as /dev/null or a pipe, is written to as it stands.

    Args:
        path: The file to write.
        content: Its text, written as UTF-8, or its bytes.

    Raises:
        OSError: If it cannot be written; the message says what, where and the next step.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError
        if mode is not None and not stat.S_ISREG(mode):
            target.write_bytes(data)
        else:
            _replace(target, data, mode)
    except OSError as error:
        raise type(error)(f"cannot write {path}: {_reason(error, target)}") from error


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    part = target.with_name(f".parity-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
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

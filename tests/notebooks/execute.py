"""Run notebooks where they lie and keep what they printed and drew, without the times at which they did.

    python tests/notebooks/execute.py notebooks/*.ipynb

`jupyter execute` writes a time into every cell, and so a change into every cell that has none.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from parity.files import write_atomically


def main(paths: list[str]) -> None:
    """Run each in its folder; one that fails stays as it was, and ends the run."""
    for path in map(Path, paths):
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(notebook, record_timing=False, resources={"metadata": {"path": str(path.parent)}})
        client.execute()
        write_atomically(path, nbformat.writes(notebook) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""`python -m parity`: the command line."""

from parity.cli import main

if __name__ == "__main__":
    main()

"""``python -m hutch`` is ``hutch``."""

from hutch.cli import main

if __name__ == "__main__":
    main()

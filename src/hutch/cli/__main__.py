"""``python -m hutch.cli`` is ``hutch``."""

from hutch.cli import main

if __name__ == "__main__":
    main()

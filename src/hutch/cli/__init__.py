"""The command line: thin functions over the library, one module for each command.

A command's module is loaded when the command runs or its help is asked for, and loads in turn what it
needs when it needs it, so ``hutch --help`` is quick.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process with its exit status."""
    from hutch.cli.group import hutch

    hutch()

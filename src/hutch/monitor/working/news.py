"""What somebody should know, told once: not each cycle anew, and not for each plot what is true of many."""

from __future__ import annotations

from collections.abc import Callable

from hutch.monitor.observing import Failure

__all__ = ["News"]

_Key = tuple[str, str]
"""Base of a source, and name of a plot."""


class News:
    """Sentences for whoever watches the monitor.

    :param say: takes one sentence.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[str, str] = {}
        self._failed: dict[_Key, str] = {}
        self._new: dict[str, list[_Key]] = {}
        self._mended: list[_Key] = []
        self._unusable: set[str] = set()
        self._unusable_now: set[str] = set()

    def once(self, key: str, sentence: str) -> None:
        """Say something, unless it was what was said last of the same."""
        if self._said.get(key) != sentence:
            self._said[key] = sentence
            self._say(sentence)

    def settled(self, key: str) -> None:
        """Take in that what was said of something is true no more."""
        self._said.pop(key, None)

    def failed(self, base: str, plot: str, failure: Failure) -> None:
        """Note that a plot failed; it is said when :meth:`tell` is called.

        A plot that cannot even be made lacks something, a geometry for example: that is said once, however
        many sources there are.
        """
        key = base, plot
        if self._failed.get(key) == failure.sentence:
            return
        self._failed[key] = failure.sentence
        if failure.what == "make":
            if failure.sentence in self._unusable:
                return
            self._unusable_now.add(failure.sentence)
        self._new.setdefault(failure.sentence, []).append(key)

    def mended(self, base: str, plot: str) -> None:
        """Note that a plot does not fail."""
        if self._failed.pop((base, plot), None) is not None:
            self._mended.append((base, plot))

    def forget(self, base: str) -> None:
        """Forget a source, and what was said of its rows."""
        self.settled(f"bad/{base}")
        for key in [key for key in self._failed if key[0] == base]:
            del self._failed[key]

    def tell(self) -> None:
        """Say what is new, once for all the plots of which it is true."""
        for sentence, keys in self._new.items():
            self._say(f"{_named(keys)}: {sentence}")
        if self._mended:
            self._say(f"{_named(self._mended)}: drawn again.")
        self._unusable |= self._unusable_now
        self._unusable_now = set()
        self._new, self._mended = {}, []


def _named(keys: list[_Key]) -> str:
    """Name plots and their source, in few words."""
    bases = list(dict.fromkeys(base for base, _ in keys))
    plots = list(dict.fromkeys(plot for _, plot in keys))
    others = f" and {len(plots) - 1} other{'s' if len(plots) > 2 else ''}" if len(plots) > 1 else ""
    return f"{plots[0]}{others} of {bases[0] if len(bases) == 1 else f'{len(bases)} sources'}"

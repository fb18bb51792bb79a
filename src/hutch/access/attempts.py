"""How often somebody has given a wrong password lately; kept in memory, so a restart forgets it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from hutch.errors import TooManyAttemptsError

__all__ = ["Attempts"]

_MOST_NAMES = 10_000


class Attempts:
    """Counts attempts by user name, of names that nobody has as well, and refuses further ones for a while.

    :param most: attempts within the window.
    :param window_s: how long an attempt counts.
    :param clock: returns s, and never goes back.
    """

    def __init__(
        self, most: int = 10, window_s: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, name: str) -> None:
        """Count an attempt before it is looked at, so that many at once are no more than one after the other.

        :raises TooManyAttemptsError: if there were too many.
        """
        with self._lock:
            now = self._clock()
            times = self._times.setdefault(name, deque())
            self._times.move_to_end(name)
            while times and times[0] <= now - self._window_s:
                times.popleft()
            if len(times) >= self._most:
                wait = times[0] + self._window_s - now
                msg = f"Too many wrong passwords were given for {name!r}. Try again in {wait:.0f} s."
                raise TooManyAttemptsError(msg, wait)
            times.append(now)
            while len(self._times) > _MOST_NAMES:
                self._times.popitem(last=False)

    def succeed(self, name: str) -> None:
        """Forget the attempts of who has given the right password."""
        with self._lock:
            self._times.pop(name, None)

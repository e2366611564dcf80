"""When a call is tried again: a budget for the whole client, and jittered pauses."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Retry:
    """How often calls are tried again.

    attempts counts the first try; 1 never tries again. Pauses are uniform in
    [0, base * 2**n] seconds, at most cap. Every call earns ratio retries and no more
    than burst can be saved up: a server that is down sees at most 1 + ratio times the
    calls, whatever the number of callers. try_timeout bounds one try in seconds; without
    it a try may take all that is left of the call's timeout.
    """

    attempts: int = 4
    base: float = 0.05
    cap: float = 2.0
    ratio: float = 0.1
    burst: float = 10.0
    try_timeout: float | None = None


class Budget:
    """A bucket of retries, shared by all calls of a client. Safe for threads."""

    def __init__(self, retry: Retry) -> None:
        self._retry, self._saved, self._lock = retry, retry.burst, threading.Lock()

    def earn(self) -> None:
        """Counts a call."""
        with self._lock:
            self._saved = min(self._retry.burst, self._saved + self._retry.ratio)

    def spend(self) -> bool:
        """Takes one retry; False if there is none left."""
        with self._lock:
            if self._saved < 1:
                return False
            self._saved -= 1
            return True

    def pause(self, attempt: int, after: float | None) -> float:
        """Returns how many seconds to wait before another try; after is the server's wish."""
        jitter = random.uniform(0, min(self._retry.cap, self._retry.base * 2**attempt))
        return jitter if after is None else after + jitter

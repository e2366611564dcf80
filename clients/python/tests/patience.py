"""Waiting that a slow machine does not end, and one that stands still does."""

from __future__ import annotations

import os
import time
from pathlib import Path

STILL = 60.0  # seconds without progress that are one too many
WORK = 120.0  # seconds of processor time that are


class Patience:
    """Ends a wait once nothing has changed for STILL seconds, however long it takes in all."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = time.monotonic()

    def see(self, state: object, what: str) -> None:
        """Takes what is there now; fails, with what, if it has been the same for too long."""
        now = time.monotonic()
        if state != self._seen:
            self._seen, self._since = state, now
        assert now - self._since < STILL, f"nothing has changed for {STILL:g} s: {what}"


def worked(pid: int) -> float:
    """Seconds of processor time that a process has used; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

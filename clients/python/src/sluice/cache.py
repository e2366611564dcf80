"""Rows kept in this process: fresh ones to save a call, older ones for when no server answers."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from .rows import Row


@dataclass(frozen=True)
class Keep:
    """What is kept of the rows that were read: at most rows of them, the least recently used go first.

    For fresh seconds a row is returned without a call (``provenance.cached``); 0 always asks. For
    last_good seconds it is returned if no server answers (``provenance.stale`` and fallback ``client``); 0 never.
    An answer of a newer generation of the view empties what is kept of it, since a rollback makes one.
    """

    rows: int = 10_000
    fresh: float = 0.0
    last_good: float = 300.0


class Cache:
    """Rows by view, question and key. Safe for threads."""

    def __init__(self, keep: Keep) -> None:
        self._keep, self._lock = keep, threading.Lock()
        self.on = keep.rows > 0 and max(keep.fresh, keep.last_good) > 0
        self._rows: OrderedDict[tuple[str, Hashable], tuple[float, Row]] = OrderedDict()
        self._generation: dict[str, int] = {}

    def get(self, view: str, key: Hashable, *, fallback: bool) -> Row | None:
        """Returns the row that is kept and young enough."""
        limit = self._keep.last_good if fallback else self._keep.fresh
        with self._lock:
            found = self._rows.get((view, key)) if limit > 0 else None
            if found is None or (age := time.monotonic() - found[0]) > limit:
                return None
            self._rows.move_to_end((view, key))
        return replace(found[1], provenance=found[1].provenance.aged(age, fallback=fallback))

    def put(self, view: str, rows: Sequence[tuple[Hashable, Row]], generation: int) -> None:
        """Keeps rows of one answer, unless a newer generation is known or they cannot be relied on."""
        now = time.monotonic()
        with self._lock:
            known = self._generation.get(view, 0)
            if generation < known:
                return
            if generation > known:
                self._generation[view] = generation
                for old in [k for k in self._rows if k[0] == view]:
                    del self._rows[old]
            for key, row in rows:
                if row.provenance.fallback or "UNAVAILABLE" in row.statuses.values():
                    continue
                self._rows[view, key] = (now, row)
                self._rows.move_to_end((view, key))
            while len(self._rows) > self._keep.rows:
                self._rows.popitem(last=False)

    def forget(self, view: str) -> None:
        """Drops what is kept of a view."""
        with self._lock:
            for old in [k for k in self._rows if k[0] == view]:
                del self._rows[old]

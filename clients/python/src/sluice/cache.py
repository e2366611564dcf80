"""Rows kept in this process: fresh ones to save a call, older ones for when no server answers."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from .rows import Provenance, Row, across


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
    """Rows by question and key. Safe for threads."""

    def __init__(self, keep: Keep) -> None:
        self._keep, self._lock = keep, threading.Lock()
        self.on = keep.rows > 0 and max(keep.fresh, keep.last_good) > 0
        self._rows: OrderedDict[Hashable, tuple[float, Row]] = OrderedDict()
        self._generation: dict[str, int] = {}
        self._cleared: dict[str, float] = {}

    def get(self, key: Hashable, *, fallback: bool) -> Row | None:
        """Returns the row that is kept and young enough."""
        limit = self._keep.last_good if fallback else self._keep.fresh
        with self._lock:
            found = self._rows.get(key) if limit > 0 else None
            if found is None or (age := time.monotonic() - found[0]) > limit:
                return None
            self._rows.move_to_end(key)
        views = {view: p.aged(age, fallback=fallback) for view, p in found[1].provenances.items()}
        return replace(found[1], provenance=across(views), provenances=views)

    def put(self, rows: Sequence[tuple[Hashable, Row]], provenances: Mapping[str, Provenance], asked: float) -> None:
        """Keeps rows of one answer to what was asked at a time of the monotonic clock, unless a newer generation of
        one of their views is known, an action came between, or they cannot be relied on."""
        with self._lock:
            if not self._current(provenances, asked):
                return
            for key, row in rows:
                if row.provenance.fallback or "UNAVAILABLE" in row.statuses.values():
                    continue
                self._rows[key] = (asked, row)
                self._rows.move_to_end(key)
            while len(self._rows) > self._keep.rows:
                self._rows.popitem(last=False)

    def _current(self, provenances: Mapping[str, Provenance], asked: float) -> bool:
        """Whether an answer is of the newest generations known; empties what is kept of views that moved on."""
        current = True
        for view, about in provenances.items():
            known = self._generation.get(view, 0)
            if about.generation > known:
                self._generation[view] = about.generation
                self._drop(view)
            current &= about.generation >= known and asked > self._cleared.get(view, 0.0)
        return current

    def _drop(self, view: str) -> None:
        for old in [k for k, (_, row) in self._rows.items() if view in row.provenances]:
            del self._rows[old]

    def forget(self, view: str) -> None:
        """Drops what is kept of a view, and what is still being read of it."""
        with self._lock:
            self._cleared[view] = time.monotonic()
            self._drop(view)

"""What a read returns: rows with values, statuses, event times and provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from .schema import Schema


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where rows come from, and how far to trust them.

    version is the newest among the rows, verdict the id of the verdict that published
    it, generation that of the list of visible versions. age_seconds is the age of the
    newest row. stale says that values may be older than what the store holds. fallback
    is empty, or why this is not all that the store holds now: ``lease`` and ``store``
    are the server's words, ``client`` says that the server did not answer and these are
    rows of an earlier read. cached says that they come from this process's cache, cached_rows how many come from the
    server's, where rows are only while they are what the store has.
    """

    version: int = 0
    verdict: str = ""
    generation: int = 0
    age_seconds: float = 0.0
    stale: bool = False
    fallback: str = ""
    cached: bool = False
    cached_rows: int = 0

    def aged(self, seconds: float, *, fallback: bool) -> Provenance:
        """Returns the provenance of rows that were kept for seconds."""
        why = ",".join(p for p in (self.fallback, "client" if fallback else "") if p)
        age = self.age_seconds + seconds if self.version else 0.0
        return replace(self, age_seconds=age, stale=self.stale or fallback, fallback=why, cached=True)


def across(views: Mapping[str, Provenance]) -> Provenance:
    """Returns the provenance of rows of several views together: the oldest age and the worst of the rest. Versions,
    verdicts and generations of different views have nothing in common: they are 0 and empty unless there is one view.
    """
    parts = list(views.values())
    if len(parts) == 1:
        return parts[0]
    return Provenance(
        age_seconds=max((p.age_seconds for p in parts), default=0.0),
        stale=any(p.stale for p in parts),
        fallback=",".join(dict.fromkeys(w for p in parts for w in p.fallback.split(",") if w)),
        cached=any(p.cached for p in parts),
        cached_rows=sum(p.cached_rows for p in parts),
    )


def merge(parts: Sequence[Provenance]) -> Provenance:
    """Returns the provenance of rows that were read apart: the newest version, the worst of the rest."""
    newest = max(parts, key=lambda p: (p.version, p.generation), default=Provenance())
    ages = [p.age_seconds for p in parts if p.version]
    why = dict.fromkeys(w for p in parts for w in p.fallback.split(",") if w)
    return Provenance(
        newest.version,
        newest.verdict,
        max((p.generation for p in parts), default=0),
        min(ages, default=0.0),
        any(p.stale for p in parts),
        ",".join(why),
        any(p.cached for p in parts),
        sum(p.cached_rows for p in parts),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One entity's features, by column: the feature's name, or ``view:feature`` where not one view was named.

    A status is PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE, UNAVAILABLE, or FAILED where a computed feature could
    not be computed; event_times are aware, in UTC, None
    where there is no row. provenances says of each view where its values come from; provenance is that of the one view,
    or the worst of several.
    """

    key: Mapping[str, Any]
    values: Mapping[str, Any]
    statuses: Mapping[str, str]
    event_times: Mapping[str, datetime | None]
    provenance: Provenance
    provenances: Mapping[str, Provenance]

    def __getitem__(self, feature: str) -> Any:
        return self.values[feature]

    @property
    def found(self) -> bool:
        """Whether there is a row for the key."""
        return any(s in ("PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", "FAILED") for s in self.statuses.values())


@dataclass(frozen=True)
class Rows(Sequence[Row]):
    """Rows in the order of the keys that were asked for. view is empty where not one view was named; features are the
    columns; provenance and provenances are those of all rows together (see Row)."""

    view: str
    rows: tuple[Row, ...]
    features: tuple[str, ...]
    provenance: Provenance
    provenances: Mapping[str, Provenance]
    schema: Schema

    @classmethod
    def gather(cls, view: str, rows: tuple[Row, ...], schema: Schema) -> Rows:
        """Adds what rows, one at least, say about the whole."""
        parts: dict[str, dict[int, Provenance]] = {}
        for row in {id(r.provenances): r for r in rows}.values():
            for name, about in row.provenances.items():
                parts.setdefault(name, {})[id(about)] = about
        views = {name: merge([*known.values()]) for name, known in parts.items()}
        return cls(view, rows, tuple(rows[0].values), across(views), views, schema)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, at: Any) -> Any:
        return self.rows[at]

    @property
    def values(self) -> list[Mapping[str, Any]]:
        """The values of every row."""
        return [r.values for r in self.rows]

    @property
    def statuses(self) -> list[Mapping[str, str]]:
        """The statuses of every row."""
        return [r.statuses for r in self.rows]

    @property
    def event_times(self) -> list[Mapping[str, datetime | None]]:
        """The event times of every row."""
        return [r.event_times for r in self.rows]

    def to_dict(self, *, statuses: bool = False, event_times: bool = False) -> dict[str, list[Any]]:
        """Returns columns: join keys, features, and with statuses and event_times ``<feature>__status`` and
        ``<feature>__event_time``."""
        columns: dict[str, list[Any]] = {k: [r.key.get(k) for r in self.rows] for k in self.schema.keys}
        for f in self.features:
            columns[f] = [r.values[f] for r in self.rows]
            if statuses:
                columns[f + "__status"] = [r.statuses[f] for r in self.rows]
            if event_times:
                columns[f + "__event_time"] = [r.event_times[f] for r in self.rows]
        return columns

    def to_pandas(self, *, statuses: bool = False, event_times: bool = False) -> pandas.DataFrame:
        """Returns to_dict as a DataFrame with the declared types; integers and booleans can be null."""
        from .frames import to_pandas

        return to_pandas(self.to_dict(statuses=statuses, event_times=event_times), self.schema)

    def to_arrow(self, *, statuses: bool = False, event_times: bool = False) -> pyarrow.Table:
        """Returns to_dict as a table with the declared types and the provenance as metadata."""
        from .frames import to_arrow

        return to_arrow(self, self.to_dict(statuses=statuses, event_times=event_times))

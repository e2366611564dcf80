"""What the platform answers besides rows. ``raw`` keeps the whole answer, for fields without an attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .errors import Blocked
from .rows import Provenance
from .schema import instant

Raw = Mapping[str, Any]

_PROVENANCE = frozenset(Provenance.__dataclass_fields__) - {"cached"}


def provenances(view: str, raw: Raw) -> dict[str, Provenance]:
    """Reads the provenance of an answer by view: that of one view, or a mapping if view is empty."""
    by_view = {view: raw} if view else raw
    return {name: Provenance(**{k: v for k, v in p.items() if k in _PROVENANCE}) for name, p in by_view.items()}


@dataclass(frozen=True)
class View:
    """A view with its state: learning, serving or frozen."""

    name: str
    project: str
    mode: str
    state: str
    generation: int
    served_version: int
    age_seconds: float
    keys: Mapping[str, str]
    features: Mapping[str, str]
    raw: Raw = field(repr=False)

    @classmethod
    def of(cls, raw: Raw) -> View:
        """Reads one of the server's."""
        return cls(
            raw["name"],
            raw["project"],
            raw["mode"],
            raw["state"],
            raw["generation"],
            raw["served_version"],
            raw["age_seconds"],
            {e["name"]: e["type"] for e in raw["entities"]},
            {f["name"]: f["type"] for f in raw["features"]},
            raw,
        )


@dataclass(frozen=True)
class Version:
    """One version of a view: staged, held, visible, rejected, rolled_back or expired."""

    version: int
    kind: str
    start: datetime
    end: datetime
    state: str
    rows: int
    verdict: str
    reason: str
    raw: Raw = field(repr=False)

    @classmethod
    def of(cls, raw: Raw) -> Version:
        """Reads one of the server's."""
        window = raw["window"]
        return cls(
            raw["version"],
            raw["kind"],
            instant(window["start"]),
            instant(window["end"]),
            raw["state"],
            raw["rows"],
            raw["verdict"],
            raw["reason"],
            raw,
        )


@dataclass(frozen=True)
class Versions:
    """A view's versions; readers see those visible, and those up to floor that are not dead."""

    view: str
    generation: int
    floor: int
    visible: tuple[int, ...]
    items: tuple[Version, ...]


@dataclass(frozen=True)
class Window:
    """A window of a view: open, closing or judged."""

    start: datetime
    end: datetime
    state: str
    version: int
    rows: int
    verdict: str
    raw: Raw = field(repr=False)

    @classmethod
    def of(cls, raw: Raw) -> Window:
        """Reads one of the server's."""
        return cls(
            instant(raw["start"]), instant(raw["end"]), raw["state"], raw["version"], raw["rows"], raw["verdict"], raw
        )


@dataclass(frozen=True)
class Reason:
    """One thing that alarmed; severity 1 is its threshold."""

    rule: str
    feature: str
    method: str
    statistic: float
    threshold: float
    severity: float
    text: str
    raw: Raw = field(repr=False)


@dataclass(frozen=True)
class Verdict:
    """What was judged of a window, and decided."""

    id: str
    kind: str
    view: str
    version: int
    state: str
    decision: str
    rows: int
    rolled_back: tuple[int, ...]
    reasons: tuple[Reason, ...]
    raw: Raw = field(repr=False)

    @classmethod
    def of(cls, raw: Raw) -> Verdict:
        """Reads one of the server's."""
        reasons = tuple(
            Reason(
                r["rule"],
                r["feature"],
                r["method"],
                r["statistic"],
                r["threshold"],
                r["severity"],
                r.get("text", ""),
                r,
            )
            for r in raw["reasons"] or ()
        )
        return cls(
            raw["id"],
            raw["kind"],
            raw["view"],
            raw["version"],
            raw["state"],
            raw["decision"],
            raw["rows"],
            tuple(raw["rolled_back"] or ()),
            reasons,
            raw,
        )

    def explain(self) -> str:
        """Says in words what was decided and why, worst first."""
        head = f"version {self.version} of {self.view}: {self.state}, {self.decision}"
        return "\n".join([head, *(f"  {r.feature or 'rows'}: {r.text or r.method} [{r.rule}]" for r in self.reasons)])


class Verdicts(list[Verdict]):
    """Verdicts in the order of decision; next is the place behind the last, which ``after`` takes."""

    def __init__(self, items: Iterable[Verdict] = (), *, next: str = "") -> None:
        super().__init__(items)
        self.next = next


@dataclass
class PushedWindow:
    """A window that pushed rows fall into; decision is empty before it is judged, and
    ``none`` if no row of it was accepted."""

    start: datetime
    end: datetime
    version: int
    state: str
    decision: str
    verdict: str

    @classmethod
    def of(cls, raw: Raw) -> PushedWindow:
        """Reads one of the server's."""
        return cls(
            instant(raw["start"]), instant(raw["end"]), raw["version"], raw["state"], raw["decision"], raw["verdict"]
        )


@dataclass
class Pushed:
    """What was pushed, and what became of its windows, as far as it is known."""

    view: str
    sent: int = 0
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    windows: list[PushedWindow] = field(default_factory=list)

    def add(self, raw: Raw) -> None:
        """Adds the answer to one part of the rows."""
        self.sent += raw["sent"]
        for partition, (first, last) in raw["offsets"].items():
            had = self.offsets.get(partition, (first, last))
            self.offsets[partition] = (min(had[0], first), max(had[1], last))
        windows = {w.start: w for w in self.windows} | {w.start: w for w in map(PushedWindow.of, raw["windows"])}
        self.windows = [windows[start] for start in sorted(windows)]

    @property
    def blocked(self) -> list[PushedWindow]:
        """Windows that are decided and not published."""
        return [w for w in self.windows if w.decision not in ("", "publish")]

    def check(self) -> Pushed:
        """Returns itself; raises Blocked if a window was not published."""
        if self.blocked:
            each = "; ".join(
                f"window {w.start:%Y-%m-%dT%H:%M:%SZ}: "
                + (f"{w.state}, {w.decision}, verdict {w.verdict}" if w.verdict else "no row was accepted")
                for w in self.blocked
            )
            raise Blocked(f"{len(self.blocked)} of {len(self.windows)} windows of {self.view}: {each}", self)
        return self


@dataclass(frozen=True)
class Change:
    """One thing that definitions change."""

    op: str
    kind: str
    name: str
    raw: Raw = field(repr=False)


@dataclass(frozen=True)
class Applied:
    """What definitions change, and the generation they are in force with; 0 if they were only planned."""

    digest: str
    generation: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Acted:
    """What an action left in force."""

    generation: int
    visible: tuple[int, ...]
    audit: str

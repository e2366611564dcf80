"""A view's types, and the JSON of its values."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def seconds(text: str) -> float:
    """Reads a duration as definitions write it, such as 30s or 1h30m."""
    total, number, unit = 0.0, "", ""
    for c in text + "0":
        if c.isdigit() or c == ".":
            if unit:
                total, number, unit = total + float(number) * _UNITS[unit], "", ""
            number += c
        else:
            unit += c
    return total


def instant(text: str) -> datetime:
    """Reads a time of the contract: RFC 3339 in UTC, to the microsecond."""
    return datetime.fromisoformat(text)


def stamp(at: datetime) -> str:
    """Writes a time as RFC 3339 in UTC; one without a zone is UTC."""
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat().replace("+00:00", "Z")


def _time(raw: Any) -> datetime:
    return instant(raw) if isinstance(raw, str) else datetime.fromtimestamp(raw, UTC)


_DECODE: dict[str, Callable[[Any], Any]] = {
    "float32": float,
    "float64": float,
    "bytes": base64.b64decode,
    "timestamp": _time,
}


@dataclass(frozen=True)
class Schema:
    """The join keys and features of a view with their types, in the order of the definition."""

    view: str
    keys: Mapping[str, str]
    features: Mapping[str, str]
    event_time: str = "event_time"
    columns: Mapping[str, str] | None = None  # the column that a name is written to, where it is another
    lateness: float = 0.0
    computed: Mapping[str, str] = field(default_factory=dict)  # features that are computed when they are read

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> Schema:
        """Reads the server's description of a view."""
        return cls(
            form["name"],
            {e["name"]: e["type"] for e in form["entities"]},
            {f["name"]: f["type"] for f in form["features"]},
            form["source"]["event_time"],
            form["source"].get("map") or {},
            seconds(form["window"]["lateness"]),
            {f["name"]: f["type"] for f in form.get("computed") or ()},
        )

    @classmethod
    def together(cls, schemas: Sequence[Schema]) -> Schema:
        """Returns that of rows of several views: all join keys, and features as ``view:feature``."""
        keys: dict[str, str] = {}
        features: dict[str, str] = {}
        computed: dict[str, str] = {}
        for schema in schemas:
            keys |= schema.keys
            features |= {f"{schema.view}:{name}": kind for name, kind in schema.features.items()}
            computed |= {f"{schema.view}:{name}": kind for name, kind in schema.computed.items()}
        return cls("", keys, features, computed=computed)

    def kind(self, name: str) -> str:
        """Returns the declared type of a feature or join key; empty for a path into a feature."""
        return self.features.get(name) or self.computed.get(name) or self.keys.get(name) or ""

    def knows(self, column: str) -> bool:
        """Whether a column is a feature, or a path into one."""
        return column in self.features or column in self.computed or column.partition(".")[0] in self.features

    def decoder(self, name: str) -> Callable[[Any], Any] | None:
        """Returns what turns the JSON of a key or feature into its value; None where they are the same."""
        kind = self.kind(name)
        if not kind.startswith("list<"):
            return _DECODE.get(kind)
        one = _DECODE.get(kind[len("list<") : -1])
        return one and (lambda raw: [one(item) for item in raw])


def encode(value: Any) -> Any:
    """Returns what json can write of a value of a key or a write: NumPy and pandas scalars, times and bytes too."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return (
            value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        )
    if isinstance(value, datetime):
        return stamp(value) if value == value else None  # NaT is unequal to itself
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(v) for v in value]
    if hasattr(value, "tolist"):  # NumPy, of any shape
        return encode(value.tolist())
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise TypeError(f"a value of type {type(value).__name__} cannot be written")

"""What a read asks for: a view, features of several views, or a feature service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Service:
    """A feature service, by name. Columns of its rows are named ``view:feature``."""

    name: str


@dataclass(frozen=True, slots=True, init=False)
class Features:
    """Features of one or several views, each as ``view:feature``; ``view:*`` is every feature of the view. Columns
    are named ``view:feature``, in this order."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        for name in names:
            if not isinstance(name, str) or not all(name.partition(":")[::2]):
                hint = "write features as view:feature"
                raise InvalidRequest(f"feature {name!r} names no view", code="invalid_argument", hint=hint)
        if not names:
            hint = "name at least one, as view:feature"
            raise InvalidRequest("the list of features is empty", code="invalid_argument", hint=hint)
        object.__setattr__(self, "names", names)

    @property
    def views(self) -> tuple[str, ...]:
        """The views, each once, in the order of the features."""
        return tuple(dict.fromkeys(name.partition(":")[0] for name in self.names))


Source = str | Service | Features
"""What is read: the name of a view, a Service, or Features."""

AsOf = int | Mapping[str, int]
"""A version of the view that is read, or versions by view."""


Context = Mapping[str, Any] | Iterable[Mapping[str, Any]]
"""What computed features are made of, by the names that their views declare: one mapping for all keys, or one a key."""


@dataclass(frozen=True, slots=True)
class Question:
    """A read without its keys: the same for equal questions, and hashable."""

    source: Source
    names: tuple[str, ...] | None  # features of a view; None: all
    policy: str
    as_of: tuple[tuple[str, int], ...] = ()
    computed: bool = False  # the request brings values that features are computed of

    @classmethod
    def of(
        cls, source: Source, features: Sequence[str] | None, policy: str, as_of: AsOf | None, context: Any = None
    ) -> Question:
        """Reads the arguments of a call."""
        if features is not None and not isinstance(source, str):
            what = f"Service({source.name!r})" if isinstance(source, Service) else "Features"
            hint = "leave features out, or name a view"
            raise InvalidRequest(f"{what} says itself what is read", code="invalid_argument", hint=hint)
        if isinstance(features, str):
            raise InvalidRequest(f"features is the string {features!r}", code="invalid_argument", hint="give a list")
        if isinstance(as_of, int):
            if not isinstance(source, str):
                hint = "give {view: version}"
                raise InvalidRequest(f"as_of {as_of} names no view", code="invalid_argument", hint=hint)
            as_of = {source: as_of}
        past = tuple(sorted((as_of or {}).items()))
        return cls(source, None if features is None else tuple(features), policy, past, context is not None)

    @property
    def kept(self) -> bool:
        """Whether rows of an earlier read may answer."""
        return not self.as_of and not self.computed and self.policy in ("serve", "flag")

    @property
    def view(self) -> str:
        """The view, where one is read by name; else empty."""
        return self.source if isinstance(self.source, str) else ""

    def path(self) -> str:
        """The endpoint of a read."""
        if isinstance(self.source, Service):
            return f"/api/v1/services/{quote(self.source.name, safe='')}/rows"
        return f"/api/v1/views/{quote(self.source, safe='')}/rows" if isinstance(self.source, str) else "/api/v1/rows"

    def stream_path(self) -> str:
        """The endpoint of a read in parts; a view is one of several there."""
        return self.path() + "/stream" if isinstance(self.source, Service) else "/api/v1/rows/stream"

    def body(self, keys: Sequence[Mapping[str, Any]], context: Any = None, *, stream: bool = False) -> bytes:
        """The body of a request for some keys, with the context of all of them or of each."""
        body: dict[str, Any] = {"keys": keys, "policy": self.policy}
        past = dict(self.as_of)
        if context is not None:
            body["context"] = context
        if isinstance(self.source, Features):
            body["features"] = self.source.names
        elif isinstance(self.source, str) and stream:
            body["features"] = [f"{self.source}:{name}" for name in self.names or ("*",)]
        elif isinstance(self.source, str) and self.names is not None:
            body["features"] = self.names
        if past and isinstance(self.source, str) and not stream:
            if set(past) != {self.source}:
                others = ", ".join(sorted(set(past) - {self.source}))
                hint = "name only views that are read"
                raise InvalidRequest(f"as_of names {others}, not read", code="invalid_argument", hint=hint)
            body["as_of_version"] = past[self.source]
        elif past:
            body["as_of_versions"] = past
        return json.dumps(body, separators=(",", ":")).encode()

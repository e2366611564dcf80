"""What both clients can do, without input or output; see exchange.py."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import answers, frames
from .cache import Cache, Keep
from .errors import DeadlineExceeded, InvalidRequest, NoNews, Unavailable
from .exchange import Call, Deadline, Steps, Together, exchange
from .retry import Budget, Retry
from .rows import Provenance, Row, Rows, merge
from .schema import Schema, encode, instant, stamp

Key = Mapping[str, Any] | str | int | bool

_SCHEMA_AGE = 300.0  # seconds until a view is described anew
_POLL = 20.0  # seconds that one request waits at the server
_KEPT = ("serve", "flag")  # policies that take rows of an earlier read


class Core:
    """The state of a client: budget, cache, and what is known of views."""

    def __init__(self, timeout: float, retry: Retry, keep: Keep | None, max_entities: int) -> None:
        if max_entities < 1:
            raise InvalidRequest(f"max_entities: {max_entities} is not positive")
        self.timeout, self.retry, self.max_entities = timeout, retry, max_entities
        self._budget, self._cache = Budget(retry), Cache(keep or Keep(0, 0, 0))
        self._schemas: dict[str, tuple[float, Schema]] = {}

    def _json(self, call: Call, deadline: Deadline) -> Steps[Any]:
        return exchange(call, deadline, self.retry, self._budget)

    def _ask(self, path: str, timeout: float | None = None, **query: Any) -> Steps[Any]:
        texts = {k: stamp(v) if isinstance(v, datetime) else str(v) for k, v in query.items() if v not in (None, "")}
        return self._json(Call("GET", path, query=texts), self._deadline(timeout))

    def _post(self, path: str, body: Any, *, idempotent: bool, timeout: float | None = None) -> Steps[Any]:
        content = json.dumps(body, separators=(",", ":")).encode()
        return self._json(Call("POST", path, content, idempotent=idempotent), self._deadline(timeout))

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline(self.timeout if timeout is None else timeout)

    # --- reads

    def schema(self, view: str, deadline: Deadline, *, anew: bool = False) -> Steps[Schema]:
        """Describes a view; what is known is good for five minutes, and longer while no server answers."""
        known = self._schemas.get(view)
        if known and not anew and time.monotonic() - known[0] < _SCHEMA_AGE:
            return known[1]
        try:
            form = yield from self._json(Call("GET", _view(view)), deadline)
        except Unavailable:
            if known and not anew:
                return known[1]
            raise
        schema = Schema.of(form)
        self._schemas[view] = (time.monotonic(), schema)
        return schema

    def rows(
        self, view: str, keys: Iterable[Key], features: Sequence[str] | None, policy: str, timeout: float | None
    ) -> Steps[Rows]:
        """Reads rows of a view."""
        deadline = self._deadline(timeout)
        schema = yield from self.schema(view, deadline)
        asked = [_key(schema, k) for k in keys]
        if not asked:
            raise InvalidRequest("keys is empty", code="invalid_argument", hint="give at least one")
        names = tuple(features) if features is not None else None
        question = (names, policy)
        found: list[Row | None] = [self._kept(view, question, k, policy, fallback=False) for k in asked]
        missing = [i for i, row in enumerate(found) if row is None]
        parts = [missing[at : at + self.max_entities] for at in range(0, len(missing), self.max_entities)]
        reads = [self._part(schema, [asked[i] for i in part], names, policy, deadline) for part in parts]
        got: list[tuple[Schema, list[Row]]] = []
        if len(reads) == 1:
            got.append((yield from reads[0]))
        elif reads:
            got = yield Together(reads)
        for part, (as_read, answered) in zip(parts, got, strict=True):
            schema = as_read
            for i, row in zip(part, answered, strict=True):
                found[i] = row
        rows = tuple(r for r in found if r is not None)
        listed = names if names is not None else tuple(rows[0].values)
        provenance = merge([*{id(r.provenance): r.provenance for r in rows}.values()])
        return Rows(view, rows, listed, provenance, schema)

    def _kept(
        self, view: str, question: Hashable, key: Mapping[str, Any], policy: str, *, fallback: bool
    ) -> Row | None:
        if policy not in _KEPT or not self._cache.on:
            return None
        return self._cache.get(view, (question, _hashed(key)), fallback=fallback)

    def _part(
        self,
        schema: Schema,
        keys: list[Mapping[str, Any]],
        names: tuple[str, ...] | None,
        policy: str,
        deadline: Deadline,
    ) -> Steps[tuple[Schema, list[Row]]]:
        body: dict[str, Any] = {"keys": keys, "policy": policy}
        if names is not None:
            body["features"] = names
        content = json.dumps(body, separators=(",", ":")).encode()
        try:
            answer = yield from self._json(Call("POST", _view(schema.view, "rows"), content), deadline)
        except Unavailable as error:
            return schema, self._last_good(schema, keys, names, policy, error)
        provenance = Provenance(**{k: v for k, v in answer["provenance"].items() if k in _PROVENANCE})
        if any(f not in schema.features for f in answer["rows"][0]["values"]):
            schema = yield from self.schema(schema.view, deadline, anew=True)
        rows = _decode(schema, answer["rows"], provenance)
        if self._cache.on:
            kept = [(((names, policy), _hashed(k)), row) for k, row in zip(keys, rows, strict=True)]
            self._cache.put(schema.view, kept, provenance.generation)
        return schema, rows

    def _last_good(
        self,
        schema: Schema,
        keys: list[Mapping[str, Any]],
        names: tuple[str, ...] | None,
        policy: str,
        error: Unavailable,
    ) -> list[Row]:
        """Returns what was read before; raises error if that is nothing."""
        kept = [self._kept(schema.view, (names, policy), k, policy, fallback=True) for k in keys]
        if all(row is None for row in kept):
            raise error
        listed = names if names is not None else tuple(next(r for r in kept if r).values)
        gone = Provenance(stale=True, fallback="client")
        nothing: dict[str, Any] = dict.fromkeys(listed)
        return [
            r or Row(k, nothing, dict.fromkeys(listed, "UNAVAILABLE"), nothing, gone)
            for k, r in zip(keys, kept, strict=True)
        ]

    # --- writes

    def push(self, view: str, data: Any, seal: bool, wait: bool, timeout: float) -> Steps[answers.Pushed]:
        """Appends rows to the view's log; see Client.push."""
        deadline = Deadline(timeout)
        schema = yield from self.schema(view, self._deadline(None), anew=True)
        pushed = answers.Pushed(view)
        for body in frames.batches(frames.lines(data, schema)):
            call = Call("POST", _view(view, "writes"), body)  # every line has an event_id: sent twice it counts once
            pushed.add((yield from self._json(call, deadline)))
        if seal and pushed.windows:
            yield from self._seal(schema, pushed)
        if wait:
            for window in pushed.windows:
                yield from self._judged(schema, pushed, window, deadline)
        return pushed

    def _seal(self, schema: Schema, pushed: answers.Pushed) -> Steps[None]:
        """Closes the last window that is not ahead of the clock: one wrong time must not make the rest late."""
        clock = yield from self._ask("/api/v1/clock")
        now = instant(clock["now"]).timestamp() if clock.get("set") else None
        ends = [w.end.timestamp() for w in pushed.windows if now is None or w.start.timestamp() <= now]
        if ends:
            mark = {
                "watermark": stamp(datetime.fromtimestamp(max(ends) + schema.lateness, pushed.windows[0].end.tzinfo))
            }
            yield from self._post(_view(schema.view, "watermark"), mark, idempotent=True)

    def _judged(
        self, schema: Schema, pushed: answers.Pushed, window: answers.PushedWindow, deadline: Deadline
    ) -> Steps[None]:
        """Waits for a window and fills in what was decided: none if no row of it was accepted."""
        path = _view(schema.view, "windows")
        while True:
            answer = yield from self._ask(path, start=window.start)
            items, partitions = answer["items"], answer["partitions"]
            if items and items[0]["state"] == "judged":
                window.version, window.verdict = items[0]["version"], items[0]["verdict"]
                if window.verdict:
                    verdict = yield from self.verdict(window.verdict)
                    window.state, window.decision = verdict.state, verdict.decision
                return
            if not items and _passed(schema, pushed, window, partitions):
                window.decision = "none"
                return
            if deadline.left <= 0:
                at = stamp(window.start)
                raise DeadlineExceeded(
                    f"window {at} of {schema.view} is not judged after {deadline.seconds:g} s",
                    hint="seal=True closes the windows of the rows; client.windows names what holds one open",
                )
            yield from self._await(path, min(deadline.left, _POLL if items else 2.0), start=window.start)

    def _await(self, path: str, wait: float, **query: Any) -> Steps[Any]:
        """Waits at the server; None without news."""
        try:
            return (yield from self._ask(path, wait + self.timeout, wait=f"{max(1, int(wait * 1000))}ms", **query))
        except NoNews:
            return None

    # --- what there is

    def _pages(self, path: str, limit: int | None, **query: Any) -> Steps[list[Any]]:
        items: list[Any] = []
        while True:
            most = 1000 if limit is None else min(1000, limit - len(items))
            page = yield from self._ask(path, limit=most, **query)
            items += page["items"]
            if not page["next"] or (limit is not None and len(items) >= limit):
                return items
            query["after"] = page["next"]

    def views(self) -> Steps[list[answers.View]]:
        """Lists views."""
        return [answers.View.of(i) for i in (yield from self._pages("/api/v1/views", None))]

    def view(self, view: str) -> Steps[answers.View]:
        """Describes a view."""
        return answers.View.of((yield from self._ask(_view(view))))

    def versions(self, view: str) -> Steps[answers.Versions]:
        """Lists a view's versions."""
        head = yield from self._ask(_view(view, "versions"), limit=1)
        items = yield from self._pages(_view(view, "versions"), None)
        listed = tuple(answers.Version.of(i) for i in items)
        return answers.Versions(view, head["generation"], head["floor"], tuple(head["visible"] or ()), listed)

    def windows(self, view: str) -> Steps[list[answers.Window]]:
        """Lists a view's windows."""
        return [answers.Window.of(i) for i in (yield from self._pages(_view(view, "windows"), None))]

    def verdicts(self, view: str, after: str, limit: int | None) -> Steps[answers.Verdicts]:
        """Lists a view's verdicts."""
        listed = answers.Verdicts(next=after)
        while limit is None or len(listed) < limit:
            most = 1000 if limit is None else min(1000, limit - len(listed))
            page = yield from self._ask(_view(view, "verdicts"), limit=most, after=listed.next)
            if not page["items"]:
                break
            listed += map(answers.Verdict.of, page["items"])
            listed.next = page["next"]
        return listed

    def verdict(self, verdict: str) -> Steps[answers.Verdict]:
        """Returns one verdict."""
        return answers.Verdict.of((yield from self._ask("/api/v1/verdicts/" + quote(verdict, safe=""), trace="false")))

    def verify(self, verdict: str) -> Steps[bool]:
        """Recomputes a verdict."""
        path = "/api/v1/verdicts/" + quote(verdict, safe="") + "/verify"
        answer = yield from self._post(path, {}, idempotent=True, timeout=max(60.0, self.timeout))
        return bool(answer["ok"])

    def wait_verdict(self, view: str, after: str, timeout: float) -> Steps[answers.Verdict]:
        """Waits for the first verdict behind a place."""
        deadline = Deadline(timeout)
        while deadline.left > 0:
            page = yield from self._await(_view(view, "verdicts"), min(deadline.left, _POLL), after=after, limit=1)
            if page and page["items"]:
                return answers.Verdict.of(page["items"][0])
        raise NoNews(f"no verdict of {view} within {timeout:g} s", hint="push with seal=True closes windows")

    def wait_window(self, view: str, start: datetime, timeout: float) -> Steps[answers.Window]:
        """Waits until the window that starts at start is judged."""
        deadline = Deadline(timeout)
        while deadline.left > 0:
            page = yield from self._await(_view(view, "windows"), min(deadline.left, _POLL), start=start)
            if page and page["items"] and page["items"][0]["state"] == "judged":
                return answers.Window.of(page["items"][0])
        raise NoNews(f"window {stamp(start)} of {view} is not judged within {timeout:g} s")

    def items(self, path: str, limit: int | None, **query: Any) -> Steps[list[Any]]:
        """Lists what is at a path, as the contract shows it."""
        return self._pages(path, limit, **query)

    # --- what people do

    def act(
        self, action: str, view: str, version: int, reason: str, by: str, if_generation: int | None
    ) -> Steps[answers.Acted]:
        """Approves, rejects, rolls back, freezes or thaws. It is sent again only if it cannot have arrived."""
        body: dict[str, Any] = {"version": version, "reason": reason, "by": by}
        if if_generation is not None:
            body["if_generation"] = if_generation
        path = _view(view, "actions/" + action)
        answer = yield from self._post(path, body, idempotent=False, timeout=max(60.0, self.timeout))
        self._cache.forget(view)
        return answers.Acted(answer["generation"], tuple(answer["visible"] or ()), answer["audit"])

    def define(self, what: str, definitions: Any, add: bool, reason: str, allow_remove: bool) -> Steps[answers.Applied]:
        """Plans or applies definitions; applying the same again changes nothing."""
        body = {"files": list(_files(definitions)), "add": add, "reason": reason, "allow_remove": allow_remove}
        answer = yield from self._post("/api/v1/" + what, body, idempotent=True, timeout=max(60.0, self.timeout))
        self._schemas.clear()
        changes = tuple(answers.Change(c["op"], c["kind"], c["name"], c) for c in answer["changes"] or ())
        return answers.Applied(answer["digest"], answer.get("generation", 0), changes)

    def clock(self, now: datetime | None) -> Steps[datetime]:
        """Reads the platform's clock, or moves a manual one."""
        path = "/api/v1/clock"
        answer = yield from (self._ask(path) if now is None else self._post(path, {"now": stamp(now)}, idempotent=True))
        return instant(answer["now"])


_PROVENANCE = frozenset(Provenance.__dataclass_fields__) - {"cached"}


def _view(view: str, rest: str = "") -> str:
    return f"/api/v1/views/{quote(view, safe='')}" + (f"/{rest}" if rest else "")


def _hashed(key: Mapping[str, Any]) -> Hashable:
    return tuple(sorted(key.items()))


def _key(schema: Schema, key: Key) -> dict[str, Any]:
    """Returns the JSON of a key; where a view has one join key its value alone will do."""
    if isinstance(key, Mapping):
        return {name: encode(value) for name, value in key.items()}
    if len(schema.keys) != 1:
        names = ", ".join(schema.keys)
        raise InvalidRequest(f"key {key!r}: view {schema.view} has the join keys {names}", hint="give a dict of them")
    return {next(iter(schema.keys)): encode(key)}


def _decode(schema: Schema, raw: list[Any], provenance: Provenance) -> list[Row]:
    features = [(f, d) for f in raw[0]["values"] if (d := schema.decoder(f))]
    keys = [(k, d) for k in raw[0]["key"] if (d := schema.decoder(k))]
    times: dict[str | None, datetime | None] = {None: None}
    rows = []
    for r in raw:
        for part, decoders in ((r["values"], features), (r["key"], keys)):
            for name, decode in decoders:
                if part[name] is not None:
                    part[name] = decode(part[name])
        for text in r["event_times"].values():
            if text not in times:
                times[text] = instant(text)
        rows.append(
            Row(r["key"], r["values"], r["statuses"], {f: times[t] for f, t in r["event_times"].items()}, provenance)
        )
    return rows


def _passed(
    schema: Schema, pushed: answers.Pushed, window: answers.PushedWindow, partitions: Mapping[str, Any]
) -> bool:
    """Whether every row is read and every partition past the window: it is not known, so no row of it was accepted."""
    for name, (_, last) in pushed.offsets.items():
        if name not in partitions or partitions[name]["offset"] <= last:
            return False
    end = window.end.timestamp() + schema.lateness
    return bool(partitions) and all(
        p["idle"] or instant(p["watermark"]).timestamp() >= end for p in partitions.values()
    )


def _files(definitions: Any) -> Iterator[dict[str, str]]:
    """Yields definitions as files: YAML text, a dict of the same form, or a file or folder of YAML."""
    if isinstance(definitions, Path):
        paths = (
            sorted(p for p in definitions.rglob("*") if p.suffix in (".yaml", ".yml"))
            if definitions.is_dir()
            else [definitions]
        )
        for path in paths:
            name = str(path.relative_to(definitions)) if definitions.is_dir() else path.name
            yield {"name": name, "text": path.read_text(encoding="utf-8")}
    elif isinstance(definitions, str):
        yield {"name": "features.yaml", "text": definitions}
    else:
        yield {"name": "features.yaml", "text": json.dumps(definitions)}

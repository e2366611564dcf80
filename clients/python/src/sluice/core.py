"""What both clients can do, without input or output; see exchange.py."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from . import answers, frames
from .cache import Cache, Keep
from .errors import DeadlineExceeded, InvalidRequest, NoNews, ServerFailure, Unavailable
from .exchange import (
    Call,
    Deadline,
    Failed,
    Line,
    Lost,
    Open,
    Opened,
    Part,
    Pause,
    Steps,
    Together,
    exchange,
    judge,
    judge_line,
    parsed,
)
from .question import Context, Features, Question, Service, Source
from .retry import Budget, Retry
from .rows import Provenance, Row, Rows, across
from .schema import Schema, encode, instant, stamp

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")

Key = Mapping[str, Any] | str | int | bool

_SCHEMA_AGE = 300.0  # seconds until a view is described anew
_POLL = 20.0  # seconds that one request waits at the server
_STREAM = 20_000  # keys of one stream: within max_bulk of the server, and short of its max_body where keys are long


class Core:
    """The state of a client: budget, cache, and what is known of views."""

    def __init__(self, timeout: float, retry: Retry, keep: Keep | None, max_entities: int) -> None:
        if max_entities < 1:
            raise InvalidRequest(f"max_entities: {max_entities} is not positive")
        self.timeout, self.retry, self.max_entities = timeout, retry, max_entities
        self._budget, self._cache = Budget(retry), Cache(keep or Keep(0, 0, 0))
        self._described: dict[Hashable, tuple[float, Any]] = {}

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

    def _known(self, name: Hashable, deadline: Deadline, call: Call, of: Callable[[Any], T], anew: bool) -> Steps[T]:
        """Describes something; what is known is good for five minutes, and longer while no server answers."""
        known = self._described.get(name)
        if known and not anew and time.monotonic() - known[0] < _SCHEMA_AGE:
            return known[1]  # type: ignore[no-any-return]
        try:
            form = yield from self._json(call, deadline)
        except Unavailable:
            if known and not anew:
                return known[1]  # type: ignore[no-any-return]
            raise
        described = of(form)
        self._described[name] = (time.monotonic(), described)
        return described

    def schema(self, view: str, deadline: Deadline, *, anew: bool = False) -> Steps[Schema]:
        """Describes a view."""
        return self._known(("view", view), deadline, Call("GET", _view(view)), Schema.of, anew)

    def _schema(self, source: Source, deadline: Deadline, *, anew: bool = False) -> Steps[Schema]:
        """Describes what is read."""
        if isinstance(source, str):
            return (yield from self.schema(source, deadline, anew=anew))
        if isinstance(source, Service):
            call = Call("GET", "/api/v1/services/" + quote(source.name, safe=""))
            listed: Callable[[Any], Features] = lambda form: Features(*form["features"])  # noqa: E731
            source = yield from self._known(source, deadline, call, listed, anew)
        schemas = []
        for view in source.views:
            schemas.append((yield from self.schema(view, deadline, anew=anew)))
        return Schema.together(schemas)

    def rows(
        self, question: Question, keys: Iterable[Key], timeout: float | None, context: Context | None = None
    ) -> Steps[Rows]:
        """Reads rows; see Client.rows."""
        deadline = self._deadline(timeout)
        schema = yield from self._schema(question.source, deadline)
        asked = [_key(schema, k) for k in keys]
        if not asked:
            raise _no_keys()
        beside = Contexts(context)
        contexts = beside.take(len(asked), last=True)
        found: list[Row | None] = [self._kept(question, k, fallback=False) for k in asked]
        missing = [i for i, row in enumerate(found) if row is None]
        parts = [missing[at : at + self.max_entities] for at in range(0, len(missing), self.max_entities)]
        reads = [
            self._part(schema, question, [asked[i] for i in part], beside.of(contexts, part), deadline)
            for part in parts
        ]
        got: list[tuple[Schema, list[Row]]] = []
        if len(reads) == 1:
            got.append((yield from reads[0]))
        elif reads:
            got = yield Together(reads)
        for part, (as_read, answered) in zip(parts, got, strict=True):
            schema = as_read
            for i, row in zip(part, answered, strict=True):
                found[i] = row
        return Rows.gather(question.view, tuple(r for r in found if r is not None), schema)

    def _kept(self, question: Question, key: Mapping[str, Any], *, fallback: bool) -> Row | None:
        if not self._cache.on or not question.kept:
            return None
        return self._cache.get((question, _hashed(key)), fallback=fallback)

    def _part(
        self, schema: Schema, question: Question, keys: list[Mapping[str, Any]], context: Any, deadline: Deadline
    ) -> Steps[tuple[Schema, list[Row]]]:
        asked = time.monotonic()
        try:
            answer = yield from self._json(Call("POST", question.path(), question.body(keys, context)), deadline)
        except Unavailable as error:
            return schema, self._last_good(question, keys, error)
        schema = yield from self._current(schema, question, answer, deadline)
        views = answers.provenances(question.view, answer["provenance"])
        rows = _decode(schema, answer["rows"], views)
        if self._cache.on and question.kept:
            self._cache.put([((question, _hashed(k)), r) for k, r in zip(keys, rows, strict=True)], views, asked)
        return schema, rows

    def _current(self, schema: Schema, question: Question, answer: Any, deadline: Deadline) -> Steps[Schema]:
        """Describes what is read anew if an answer shows that it has changed."""
        if all(schema.knows(column) for column in answer["rows"][0]["values"]):
            return schema
        return (yield from self._schema(question.source, deadline, anew=True))

    def _last_good(self, question: Question, keys: list[Mapping[str, Any]], error: Unavailable) -> list[Row]:
        """Returns what was read before; raises error if that is nothing."""
        kept = [self._kept(question, k, fallback=True) for k in keys]
        model = next((row for row in kept if row), None)
        if model is None:
            raise error
        gone = dict.fromkeys(model.provenances, Provenance(stale=True, fallback="client"))
        nothing: dict[str, Any] = dict.fromkeys(model.values)
        lost = dict.fromkeys(model.values, "UNAVAILABLE")
        return [r or Row(k, nothing, lost, nothing, across(gone), gone) for k, r in zip(keys, kept, strict=True)]

    # --- reads in parts

    def stream(
        self,
        question: Question,
        keys: Iterable[Key],
        timeout: float | None,
        form: Callable[[Schema, Any], Any],
        context: Context | None = None,
    ) -> Steps[None]:
        """Reads any number of keys and yields parts in the form that form makes of one; see Client.stream."""
        wait = self.timeout if timeout is None else timeout
        schema = yield from self._schema(question.source, Deadline(wait))
        rest, any_keys, beside = iter(keys), False, Contexts(context)
        while chunk := [_key(schema, k) for k in islice(rest, _STREAM)]:
            any_keys = True
            contexts = beside.take(len(chunk), last=len(chunk) < _STREAM)
            yield from self._streams(schema, question, chunk, contexts, wait, form)
        if not any_keys:
            raise _no_keys()
        beside.take(0, last=True)

    def _streams(
        self,
        schema: Schema,
        question: Question,
        keys: list[dict[str, Any]],
        contexts: Any,
        wait: float,
        form: Callable[[Schema, Any], Any],
    ) -> Steps[None]:
        """Reads keys over as many streams as it takes: one that breaks is taken up behind its last part."""
        done = attempt = 0
        self._budget.earn()
        while done < len(keys):
            context = contexts[done:] if isinstance(contexts, list) else contexts
            call = Call("POST", question.stream_path(), question.body(keys[done:], context, stream=True))
            moved, end = yield from self._stream(call, schema, question, keys[done:], wait, form)
            done += moved
            attempt = 1 if moved else attempt + 1
            if end is None:
                continue
            pause = self._budget.pause(attempt - 1, end.after)
            if not end.again or attempt >= self.retry.attempts or pause >= wait or not self._budget.spend():
                raise end.error
            yield Pause(pause)

    def _stream(
        self,
        call: Call,
        schema: Schema,
        question: Question,
        keys: list[dict[str, Any]],
        wait: float,
        form: Callable[[Schema, Any], Any],
    ) -> Steps[tuple[int, Failed | None]]:
        """Reads one stream, and returns how many rows came and what ended it early."""
        deadline, done = Deadline(wait), 0
        opened = yield Open(call, wait)
        if not isinstance(opened, Opened):
            return 0, judge(call, opened, deadline)
        while True:
            deadline = Deadline(wait)  # the caller's time is not the server's
            line = yield Line(wait)
            if isinstance(line, Lost):
                return done, judge(call, line, deadline)
            if line is None:
                early = Lost("the stream ended before its last row", True)
                return done, None if done == len(keys) else judge(call, early, deadline)
            part = parsed(call, line)
            if "error" in part:
                return done, judge_line(part)
            if part["first"] != done or not 0 < len(part["rows"]) <= len(keys) - done:
                raise ServerFailure(f"{call.path}: the stream holds rows that were not asked for")
            if question.view:
                unprefixed(question.view, part["rows"])
            schema = yield from self._current(schema, question, part, deadline)
            done += len(part["rows"])
            yield Part(form(schema, part))

    def part_rows(self, question: Question) -> Callable[[Schema, Any], Rows]:
        """Makes Rows of parts."""

        def form(schema: Schema, part: Any) -> Rows:
            rows = _decode(schema, part["rows"], answers.provenances("", part["provenance"]))
            return Rows.gather(question.view, tuple(rows), schema)

        return form

    def part_batch(self, statuses: bool, event_times: bool) -> Callable[[Schema, Any], pyarrow.RecordBatch]:
        """Makes Arrow record batches of parts."""

        def form(schema: Schema, part: Any) -> pyarrow.RecordBatch:
            views = answers.provenances("", part["provenance"])
            return frames.record_batch(schema, part["rows"], views, statuses, event_times)

        return form

    # --- writes

    def push(
        self, view: str, data: Any, seal: bool, wait: bool, backfill: bool, timeout: float
    ) -> Steps[answers.Pushed]:
        """Appends rows to the view's log; see Client.push."""
        deadline = Deadline(timeout)
        schema = yield from self.schema(view, self._deadline(None), anew=True)
        pushed = answers.Pushed(view)
        query = {"backfill": "true"} if backfill else {}
        for body in frames.batches(frames.lines(data, schema)):
            # every line has an event_id: sent twice it counts once
            call = Call("POST", _view(view, "writes"), body, query=query)
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
            at = datetime.fromtimestamp(max(ends) + schema.lateness, pushed.windows[0].end.tzinfo)
            yield from self.watermark(schema.view, at)

    def watermark(self, view: str, at: datetime) -> Steps[None]:
        """Says that no row before at is still to come."""
        yield from self._post(_view(view, "watermark"), {"watermark": stamp(at)}, idempotent=True)

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
        return answers.Verdict.of(
            (yield from self._ask("/api/v1/verdicts/" + quote(verdict, safe=""), trace="false", statistics="false"))
        )

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
        self._described.clear()
        changes = tuple(answers.Change(c["op"], c["kind"], c["name"], c) for c in answer["changes"] or ())
        return answers.Applied(answer["digest"], answer.get("generation", 0), changes)

    def clock(self, now: datetime | None) -> Steps[datetime]:
        """Reads the platform's clock, or moves a manual one."""
        path = "/api/v1/clock"
        answer = yield from (self._ask(path) if now is None else self._post(path, {"now": stamp(now)}, idempotent=True))
        return instant(answer["now"])


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
        what = f"view {schema.view} has" if schema.view else "what is read has"
        raise InvalidRequest(
            f"key {key!r}: {what} the join keys {names}", code="invalid_argument", hint="give a dict of them"
        )
    return {next(iter(schema.keys)): encode(key)}


class Contexts:
    """The context of a request, taken beside its keys."""

    def __init__(self, context: Context | None) -> None:
        one = context is None or isinstance(context, Mapping)
        self._all = encode(context) if one else None
        self._each = None if one else iter(cast("Iterable[Mapping[str, Any]]", context))

    def take(self, n: int, *, last: bool) -> Any:
        """Returns that of the next n keys: one for all, or a list of one a key. last says that no keys follow."""
        if self._each is None:
            return self._all
        taken = [encode(c) for c in islice(self._each, n)]
        if len(taken) < n or (last and next(self._each, None) is not None):
            hint = "give a list of one a key, or one dict for all"
            raise InvalidRequest(
                "context has not as many entries as there are keys", code="invalid_argument", hint=hint
            )
        return taken

    @staticmethod
    def of(contexts: Any, part: list[int]) -> Any:
        """Returns that of some of the keys."""
        return [contexts[i] for i in part] if isinstance(contexts, list) else contexts


def _no_keys() -> InvalidRequest:
    return InvalidRequest("keys is empty", code="invalid_argument", hint="give at least one")


def unprefixed(view: str, rows: list[Any]) -> None:
    """Names the columns of a stream of one view as its reads do: by the feature alone."""
    cut = len(view) + 1
    for row in rows:
        for part in ("values", "statuses", "event_times"):
            row[part] = {name[cut:]: value for name, value in row[part].items()}


def _decode(schema: Schema, raw: list[Any], views: Mapping[str, Provenance]) -> list[Row]:
    provenance = across(views)
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
            Row(
                r["key"],
                r["values"],
                r["statuses"],
                {f: times[t] for f, t in r["event_times"].items()},
                provenance,
                views,
            )
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

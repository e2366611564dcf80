"""The client for programs that wait for answers. Safe for threads."""

from __future__ import annotations

import ipaddress
import os
import ssl
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from . import answers
from .cache import Keep
from .core import Core, Key
from .errors import InvalidRequest
from .exchange import MAX_ANSWER, MAX_ERROR, Line, Lines, Lost, Open, Opened, Part, Pause, Reply, Send, Steps, Together
from .question import AsOf, Context, Question, Source
from .retry import Retry
from .rows import Row, Rows

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")


def address(server: str | None) -> str:
    """Returns the server's URL: the argument, SLUICE_SERVER, or the default."""
    return (server or os.environ.get("SLUICE_SERVER") or "http://127.0.0.1:6566").rstrip("/")


def options(
    server: str | None, token: str | None, connections: int, tls: ssl.SSLContext | None, plain: bool
) -> dict[str, Any]:
    """Returns the arguments of an httpx client; the token is the argument or SLUICE_TOKEN."""
    url, token = httpx.URL(address(server)), token or os.environ.get("SLUICE_TOKEN")
    if url.scheme not in ("http", "https") or not url.host:
        hint = "give one such as http://127.0.0.1:6566"
        raise InvalidRequest(f"server {str(url)!r} is no URL", code="invalid_argument", hint=hint)
    if token and url.scheme == "http" and not plain and not _this_machine(url.host):
        hint = "use https, or allow_plain_token=True"
        text = f"the token would go to {url.host} in the clear"
        raise InvalidRequest(text, code="invalid_argument", hint=hint)
    known = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "sluice-python"}
    return {
        "base_url": url,
        "headers": known | ({"Authorization": f"Bearer {token}"} if token else {}),
        "limits": httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=90),
        "verify": tls or url.scheme == "https",  # loading certificates that are not used takes 50 ms
    }


def _this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def lost(err: httpx.TransportError) -> Lost:
    """Says what an error of the transport means for another try."""
    arrived = not isinstance(err, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Lost(str(err) or type(err).__name__, arrived, isinstance(err, httpx.TimeoutException))


class Reading:
    """An answer that is read line by line."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._lines, self._ready = Lines(), deque[bytes]()

    def open(self, step: Open) -> Opened | Reply | Lost:
        """Sends a call."""
        call, end = step.call, time.monotonic() + step.seconds
        request = self._http.build_request(call.method, call.path, content=call.body, timeout=step.seconds)
        try:
            self._response = self._http.send(request, stream=True)
            self._chunks = self._response.iter_raw()
            if self._response.status_code == 200:
                return Opened()
            body = b""
            for chunk in self._chunks:
                body += chunk
                if len(body) > MAX_ERROR or time.monotonic() > end:
                    break
            return Reply(self._response.status_code, self._response.headers, body)
        except httpx.TransportError as err:
            return lost(err)

    def line(self, seconds: float) -> bytes | Lost | None:
        """Returns the next line, or None at the end."""
        end = time.monotonic() + seconds
        try:
            while not self._ready:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return None
                self._ready.extend(self._lines.feed(chunk))
                if self._lines.too_long:
                    return Lost(f"a line is longer than {MAX_ANSWER} bytes", True)
                if not self._ready and time.monotonic() > end:
                    return Lost("the answer is too slow", True, True)
        except httpx.TransportError as err:
            return lost(err)
        return self._ready.popleft()

    def close(self) -> None:
        """Ends the answer."""
        if self._response:
            self._response.close()


class Client:
    """A client of a Sluice server; close it, or use it in a with statement.

    server and token default to SLUICE_SERVER and SLUICE_TOKEN. timeout bounds a call in seconds, over all its
    tries. retry says how often calls are tried again, keep what is kept of rows to save calls and to answer when
    no server does (nothing by default); see Retry and Keep. Reads of more than max_entities keys are split.
    connections bounds the connections, which are used again. tls is used for an https server, in place of the usual
    certificates. A token goes over https or to this machine only, unless allow_plain_token says otherwise.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        token: str | None = None,
        timeout: float = 5.0,
        retry: Retry | None = None,
        keep: Keep | None = None,
        max_entities: int = 1000,
        connections: int = 20,
        tls: ssl.SSLContext | None = None,
        allow_plain_token: bool = False,
    ) -> None:
        self._core = Core(timeout, retry or Retry(), keep, max_entities)
        self._http = httpx.Client(**options(server, token, connections, tls, allow_plain_token))

    @property
    def server(self) -> str:
        """The server's URL."""
        return str(self._http.base_url)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if isinstance(step, Send):
                outcome = self._send(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
                outcome = None
            elif isinstance(step, Together):
                outcome = [self._run(part) for part in step.parts]
            else:
                raise AssertionError(step)

    def _send(self, step: Send) -> Reply | Lost:
        end, call = time.monotonic() + step.seconds, step.call
        try:
            with self._http.stream(
                call.method, call.path, content=call.body, params=call.query or None, timeout=step.seconds
            ) as response:
                body = bytearray()
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        return Lost(f"the answer is longer than {MAX_ANSWER} bytes", True)
                    if time.monotonic() > end:
                        return Lost("the answer is too slow", True, True)
                return Reply(response.status_code, response.headers, bytes(body))
        except httpx.TransportError as err:
            return lost(err)

    def _parts(self, steps: Steps[None]) -> Iterator[Any]:
        """Takes steps one after another, with one answer open at a time, and yields parts."""
        outcome: Any = None
        reading: Reading | None = None
        try:
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Part):
                    yield step.value
                elif isinstance(step, Send):
                    outcome = self._send(step)
                elif isinstance(step, Pause):
                    time.sleep(step.seconds)
                elif isinstance(step, Open):
                    if reading:
                        reading.close()
                    reading = Reading(self._http)
                    outcome = reading.open(step)
                elif isinstance(step, Line) and reading:
                    outcome = reading.line(step.seconds)
                else:
                    raise AssertionError(step)
        finally:
            steps.close()
            if reading:
                reading.close()

    def rows(
        self,
        source: Source,
        keys: Iterable[Key],
        features: Sequence[str] | None = None,
        *,
        policy: str = "serve",
        as_of: AsOf | None = None,
        context: Context | None = None,
        timeout: float | None = None,
    ) -> Rows:
        """Reads features of entities: one row a key, in the order of the keys.

        source is the name of a view, of which features names some (all if it is None; ``about.score`` is a path into a
        json feature), or Service, or Features of several views. A key is a dict of the join keys of all views, or the
        value alone where there is one join key.

        policy is what to do with rows that are too old: ``serve`` them, ``flag`` them as stale, give ``null`` or
        the feature's ``default``, or ``refuse``, which raises Refused. as_of reads a view as if that version were its
        newest: a number, or versions by view. context is what computed features are made of: one dict for all keys,
        or a list of one a key. Rows that Keep keeps answer for serve and flag of now without context only. timeout is
        in seconds.

        Raises NotFound for what is not defined, InvalidRequest for keys that do not fit, Unavailable if no server
        answers in time.
        """
        question = Question.of(source, features, policy, as_of, context)
        return self._run(self._core.rows(question, keys, timeout, context))

    def row(
        self,
        source: Source,
        key: Key,
        features: Sequence[str] | None = None,
        *,
        policy: str = "serve",
        as_of: AsOf | None = None,
        context: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Row:
        """Reads features of one entity; see rows."""
        question = Question.of(source, features, policy, as_of, context)
        return self._run(self._core.rows(question, [key], timeout, context)).rows[0]

    def stream(
        self,
        source: Source,
        keys: Iterable[Key],
        features: Sequence[str] | None = None,
        *,
        policy: str = "serve",
        as_of: AsOf | None = None,
        context: Context | None = None,
        timeout: float | None = None,
    ) -> Iterator[Rows]:
        """Reads any number of entities and yields their rows in parts of up to max_entities of the server (1,000), in
        the order of the keys, which may be an iterator. Otherwise as rows.

        Each part is of one generation and has its own provenance. timeout bounds the wait for each part. A stream that
        breaks goes on behind its last part, within the budget of retries: no row is lost, none comes twice. What is
        raised comes after good parts. Leaving early ends it. Nothing is kept of a stream.
        """
        question = Question.of(source, features, policy, as_of, context)
        return self._parts(self._core.stream(question, keys, timeout, self._core.part_rows(question), context))

    def batches(
        self,
        source: Source,
        keys: Iterable[Key],
        features: Sequence[str] | None = None,
        *,
        statuses: bool = False,
        event_times: bool = False,
        policy: str = "serve",
        as_of: AsOf | None = None,
        context: Context | None = None,
        timeout: float | None = None,
    ) -> Iterator[pyarrow.RecordBatch]:
        """Reads as stream, and yields Arrow record batches: a column each join key and feature with its declared type,
        and with statuses and event_times ``<feature>__status`` and ``<feature>__event_time``.

        Every batch has the same columns and types, so that ``pyarrow.Table.from_batches`` takes them. The metadata
        ``sluice.provenance`` and ``sluice.provenances`` (by view) are those of the batch, as JSON. Needs pyarrow.
        """
        question = Question.of(source, features, policy, as_of, context)
        form = self._core.part_batch(statuses, event_times)
        return self._parts(self._core.stream(question, keys, timeout, form, context))

    def push(
        self,
        view: str,
        data: Any,
        *,
        seal: bool = False,
        wait: bool = False,
        backfill: bool = False,
        timeout: float = 600.0,
    ) -> answers.Pushed:
        """Appends rows to the view's log: dicts, a DataFrame, or an Arrow table; a column each join key, feature and
        the event time (times without a zone are UTC).

        seal closes the windows that the rows fall into, wait returns when these are judged, within timeout seconds.
        Each row gets an event_id if it has none, so that one that had to be sent twice counts once. Pushed.check
        raises Blocked if a window was not published. Refused rows become dead letters and do not fail the call.

        backfill says that the rows are of long ago: they are kept and served by event time, but no window is judged by
        them and none of them enters history.
        """
        return self._run(self._core.push(view, data, seal, wait, backfill, timeout))

    def watermark(self, view: str, at: datetime) -> None:
        """Says that no row of the view before at is still to come: windows that end before it, less the view's
        lateness, are judged. push with seal=True does it for the rows that it pushed."""
        self._run(self._core.watermark(view, at))

    def plan(self, definitions: Any, *, add: bool = True) -> answers.Applied:
        """Says what definitions would change: YAML text, a dict of the same form, or the path of a file or folder.
        With add, what is in force and not in them stays."""
        return self._run(self._core.define("plan", definitions, add, "", False))

    def apply(
        self, definitions: Any, *, add: bool = True, reason: str = "", allow_remove: bool = False
    ) -> answers.Applied:
        """Puts definitions in force; see plan."""
        return self._run(self._core.define("apply", definitions, add, reason, allow_remove))

    def views(self) -> list[answers.View]:
        """Returns the views, by name."""
        return self._run(self._core.views())

    def view(self, view: str) -> answers.View:
        """Returns one view with its state."""
        return self._run(self._core.view(view))

    def versions(self, view: str) -> answers.Versions:
        """Returns the versions of a view, and which are visible."""
        return self._run(self._core.versions(view))

    def windows(self, view: str) -> list[answers.Window]:
        """Returns the windows of a view, by start."""
        return self._run(self._core.windows(view))

    def verdicts(self, view: str, *, after: str = "", limit: int | None = None) -> answers.Verdicts:
        """Returns the verdicts of a view in the order of decision, those behind after, which is the next of others."""
        return self._run(self._core.verdicts(view, after, limit))

    def verdict(self, verdict: str) -> answers.Verdict:
        """Returns one verdict, by its id."""
        return self._run(self._core.verdict(verdict))

    def verify(self, verdict: str) -> bool:
        """Recomputes a verdict at the server; True if it comes out equal."""
        return self._run(self._core.verify(verdict))

    def wait_verdict(self, view: str, *, after: str = "", timeout: float = 600.0) -> answers.Verdict:
        """Waits for the first verdict behind after, the next of verdicts; raises NoNews if there is none in time."""
        return self._run(self._core.wait_verdict(view, after, timeout))

    def wait_window(self, view: str, start: datetime, *, timeout: float = 600.0) -> answers.Window:
        """Waits until the window that starts at start is judged; raises NoNews if it is not in time."""
        return self._run(self._core.wait_window(view, start, timeout))

    def alerts(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns what a person should know, as the contract shows it."""
        return self._run(self._core.items("/api/v1/alerts", limit))

    def audit(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns who did what and why, as the contract shows it."""
        return self._run(self._core.items("/api/v1/audit", limit))

    def dead_letters(self, view: str = "", *, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns records that were not accepted, with the reason, as the contract shows them."""
        return self._run(self._core.items("/api/v1/deadletters", limit, view=view))

    def approve(
        self, view: str, version: int, reason: str, *, by: str = "", if_generation: int | None = None
    ) -> answers.Acted:
        """Publishes a version that was rejected or held, as a new version."""
        return self._run(self._core.act("approve", view, version, reason, by, if_generation))

    def reject(
        self, view: str, version: int, reason: str, *, by: str = "", if_generation: int | None = None
    ) -> answers.Acted:
        """Rejects a version that is held."""
        return self._run(self._core.act("reject", view, version, reason, by, if_generation))

    def rollback(
        self, view: str, version: int, reason: str, *, by: str = "", if_generation: int | None = None
    ) -> answers.Acted:
        """Takes a visible version out."""
        return self._run(self._core.act("rollback", view, version, reason, by, if_generation))

    def freeze(self, view: str, reason: str, *, by: str = "", if_generation: int | None = None) -> answers.Acted:
        """Keeps what is visible as it is."""
        return self._run(self._core.act("freeze", view, 0, reason, by, if_generation))

    def thaw(self, view: str, reason: str, *, by: str = "", if_generation: int | None = None) -> answers.Acted:
        """Ends a freeze."""
        return self._run(self._core.act("thaw", view, 0, reason, by, if_generation))

    def clock(self, now: datetime | None = None) -> datetime:
        """Returns the platform's time; with now it moves a manual clock."""
        return self._run(self._core.clock(now))

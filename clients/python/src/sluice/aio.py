"""The client for programs on asyncio."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from . import answers
from .batch import Batcher
from .cache import Keep
from .client import lost, options
from .core import Core, Key
from .exchange import MAX_ANSWER, MAX_ERROR, Line, Lines, Lost, Open, Opened, Part, Pause, Reply, Send, Steps, Together
from .question import AsOf, Context, Question, Source
from .retry import Retry
from .rows import Row, Rows

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")

_PARTS = 8  # parts of one read that are under way at the same time


class Reading:
    """An answer that is read line by line."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._lines, self._ready = Lines(), deque[bytes]()

    async def open(self, step: Open) -> Opened | Reply | Lost:
        """Sends a call."""
        call = step.call
        request = self._http.build_request(call.method, call.path, content=call.body, timeout=step.seconds)
        try:
            async with asyncio.timeout(step.seconds):
                self._response = await self._http.send(request, stream=True)
                self._chunks = self._response.aiter_raw()
                if self._response.status_code == 200:
                    return Opened()
                body = b""
                async for chunk in self._chunks:
                    body += chunk
                    if len(body) > MAX_ERROR:
                        break
                return Reply(self._response.status_code, self._response.headers, body)
        except TimeoutError:
            return Lost("the answer is too slow", True, True)
        except httpx.TransportError as err:
            return lost(err)

    async def line(self, seconds: float) -> bytes | Lost | None:
        """Returns the next line, or None at the end."""
        assert self._chunks is not None
        try:
            async with asyncio.timeout(seconds):
                while not self._ready:
                    chunk = await anext(self._chunks, None)
                    if chunk is None:
                        return None
                    self._ready.extend(self._lines.feed(chunk))
                    if self._lines.too_long:
                        return Lost(f"a line is longer than {MAX_ANSWER} bytes", True)
        except TimeoutError:
            return Lost("the answer is too slow", True, True)
        except httpx.TransportError as err:
            return lost(err)
        return self._ready.popleft()

    async def close(self) -> None:
        """Ends the answer."""
        if self._response:
            await self._response.aclose()


class AsyncClient:
    """A client of a Sluice server for one event loop; close it, or use it in an async with statement.

    The arguments and methods are those of Client. Single reads that run at the same time are sent together, at most
    max_entities in a call, and the parts of a large read at the same time.
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
        self._http = httpx.AsyncClient(**options(server, token, connections, tls, allow_plain_token))
        self._batcher = Batcher(self._rows, max_entities)

    @property
    def server(self) -> str:
        """The server's URL."""
        return str(self._http.base_url)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self, steps: Steps[T]) -> T:
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if isinstance(step, Send):
                outcome = await self._send(step)
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                outcome = None
            elif isinstance(step, Together):
                outcome = await self._together(step.parts)
            else:
                raise AssertionError(step)

    async def _together(self, parts: Sequence[Steps[Any]]) -> list[Any]:
        slots = asyncio.Semaphore(_PARTS)

        async def one(part: Steps[Any]) -> Any:
            async with slots:
                return await self._run(part)

        tasks = [asyncio.ensure_future(one(part)) for part in parts]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _send(self, step: Send) -> Reply | Lost:
        call = step.call
        try:
            async with (
                asyncio.timeout(step.seconds),
                self._http.stream(
                    call.method, call.path, content=call.body, params=call.query or None, timeout=step.seconds
                ) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        return Lost(f"the answer is longer than {MAX_ANSWER} bytes", True)
                return Reply(response.status_code, response.headers, bytes(body))
        except TimeoutError:
            return Lost("the answer is too slow", True, True)
        except httpx.TransportError as err:
            return lost(err)

    async def _parts(self, steps: Steps[None]) -> AsyncIterator[Any]:
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
                    outcome = await self._send(step)
                elif isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Open):
                    if reading:
                        await reading.close()
                    reading = Reading(self._http)
                    outcome = await reading.open(step)
                elif isinstance(step, Line) and reading:
                    outcome = await reading.line(step.seconds)
                else:
                    raise AssertionError(step)
        finally:
            steps.close()
            if reading:
                await reading.close()

    async def _rows(
        self, question: Question, keys: Iterable[Key], timeout: float | None, context: Context | None = None
    ) -> Rows:
        return await self._run(self._core.rows(question, keys, timeout, context))

    async def rows(
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
        return await self._rows(question, keys, timeout, context)

    async def row(
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
        """Reads features of one entity; see rows. Calls that run at the same time and ask the same of other
        entities go out as one."""
        question = Question.of(source, features, policy, as_of, context)
        return await self._batcher.row(question, key, self._core.timeout if timeout is None else timeout, context)

    async def stream(
        self,
        source: Source,
        keys: Iterable[Key],
        features: Sequence[str] | None = None,
        *,
        policy: str = "serve",
        as_of: AsOf | None = None,
        context: Context | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Rows]:
        """Reads any number of entities and yields their rows in parts of up to max_entities of the server (1,000), in
        the order of the keys, which may be an iterator. Otherwise as rows.

        Each part is of one generation and has its own provenance. timeout bounds the wait for each part. A stream that
        breaks goes on behind its last part, within the budget of retries: no row is lost, none comes twice. What is
        raised comes after good parts. Leaving early ends it. Nothing is kept of a stream.
        """
        question = Question.of(source, features, policy, as_of, context)
        async for part in self._parts(
            self._core.stream(question, keys, timeout, self._core.part_rows(question), context)
        ):
            yield part

    async def batches(
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
    ) -> AsyncIterator[pyarrow.RecordBatch]:
        """Reads as stream, and yields Arrow record batches: a column each join key and feature with its declared type,
        and with statuses and event_times ``<feature>__status`` and ``<feature>__event_time``.

        Every batch has the same columns and types, so that ``pyarrow.Table.from_batches`` takes them. The metadata
        ``sluice.provenance`` and ``sluice.provenances`` (by view) are those of the batch, as JSON. Needs pyarrow.
        """
        question = Question.of(source, features, policy, as_of, context)
        form = self._core.part_batch(statuses, event_times)
        async for part in self._parts(self._core.stream(question, keys, timeout, form, context)):
            yield part

    async def push(
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
        return await self._run(self._core.push(view, data, seal, wait, backfill, timeout))

    async def watermark(self, view: str, at: datetime) -> None:
        """Says that no row of the view before at is still to come: windows that end before it, less the view's
        lateness, are judged. push with seal=True does it for the rows that it pushed."""
        await self._run(self._core.watermark(view, at))

    async def plan(self, definitions: Any, *, add: bool = True) -> answers.Applied:
        """Says what definitions would change: YAML text, a dict of the same form, or the path of a file or folder.
        With add, what is in force and not in them stays."""
        return await self._run(self._core.define("plan", definitions, add, "", False))

    async def apply(
        self, definitions: Any, *, add: bool = True, reason: str = "", allow_remove: bool = False
    ) -> answers.Applied:
        """Puts definitions in force; see plan."""
        return await self._run(self._core.define("apply", definitions, add, reason, allow_remove))

    async def views(self) -> list[answers.View]:
        """Returns the views, by name."""
        return await self._run(self._core.views())

    async def view(self, view: str) -> answers.View:
        """Returns one view with its state."""
        return await self._run(self._core.view(view))

    async def versions(self, view: str) -> answers.Versions:
        """Returns the versions of a view, and which are visible."""
        return await self._run(self._core.versions(view))

    async def windows(self, view: str) -> list[answers.Window]:
        """Returns the windows of a view, by start."""
        return await self._run(self._core.windows(view))

    async def verdicts(self, view: str, *, after: str = "", limit: int | None = None) -> answers.Verdicts:
        """Returns the verdicts of a view in the order of decision, those behind after, which is the next of others."""
        return await self._run(self._core.verdicts(view, after, limit))

    async def verdict(self, verdict: str) -> answers.Verdict:
        """Returns one verdict, by its id."""
        return await self._run(self._core.verdict(verdict))

    async def verify(self, verdict: str) -> bool:
        """Recomputes a verdict at the server; True if it comes out equal."""
        return await self._run(self._core.verify(verdict))

    async def wait_verdict(self, view: str, *, after: str = "", timeout: float = 600.0) -> answers.Verdict:
        """Waits for the first verdict behind after, the next of verdicts; raises NoNews if there is none in time."""
        return await self._run(self._core.wait_verdict(view, after, timeout))

    async def wait_window(self, view: str, start: datetime, *, timeout: float = 600.0) -> answers.Window:
        """Waits until the window that starts at start is judged; raises NoNews if it is not in time."""
        return await self._run(self._core.wait_window(view, start, timeout))

    async def alerts(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns what a person should know, as the contract shows it."""
        return await self._run(self._core.items("/api/v1/alerts", limit))

    async def audit(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns who did what and why, as the contract shows it."""
        return await self._run(self._core.items("/api/v1/audit", limit))

    async def dead_letters(self, view: str = "", *, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns records that were not accepted, with the reason, as the contract shows them."""
        return await self._run(self._core.items("/api/v1/deadletters", limit, view=view))

    async def approve(
        self, view: str, version: int, reason: str, *, by: str = "", if_generation: int | None = None
    ) -> answers.Acted:
        """Publishes a version that was rejected or held, as a new version."""
        return await self._run(self._core.act("approve", view, version, reason, by, if_generation))

    async def reject(
        self, view: str, version: int, reason: str, *, by: str = "", if_generation: int | None = None
    ) -> answers.Acted:
        """Rejects a version that is held."""
        return await self._run(self._core.act("reject", view, version, reason, by, if_generation))

    async def rollback(
        self, view: str, version: int, reason: str, *, by: str = "", if_generation: int | None = None
    ) -> answers.Acted:
        """Takes a visible version out."""
        return await self._run(self._core.act("rollback", view, version, reason, by, if_generation))

    async def freeze(self, view: str, reason: str, *, by: str = "", if_generation: int | None = None) -> answers.Acted:
        """Keeps what is visible as it is."""
        return await self._run(self._core.act("freeze", view, 0, reason, by, if_generation))

    async def thaw(self, view: str, reason: str, *, by: str = "", if_generation: int | None = None) -> answers.Acted:
        """Ends a freeze."""
        return await self._run(self._core.act("thaw", view, 0, reason, by, if_generation))

    async def clock(self, now: datetime | None = None) -> datetime:
        """Returns the platform's time; with now it moves a manual clock."""
        return await self._run(self._core.clock(now))

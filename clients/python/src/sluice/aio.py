"""The client for programs on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from . import answers
from .batch import Batcher
from .cache import Keep
from .client import address, headers, lost
from .core import Core, Key
from .exchange import MAX_ANSWER, Lost, Pause, Reply, Send, Steps
from .retry import Retry
from .rows import Row, Rows

T = TypeVar("T")

_PARTS = 8  # parts of one read that are under way at the same time


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
    ) -> None:
        self._core = Core(timeout, retry or Retry(), keep, max_entities)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=90)
        self._http = httpx.AsyncClient(base_url=address(server), headers=headers(token), limits=limits)
        self._batcher = Batcher(self.rows, max_entities)

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
            else:
                outcome = await self._together(step.parts)

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

    async def rows(
        self,
        view: str,
        keys: Iterable[Key],
        features: Sequence[str] | None = None,
        *,
        policy: str = "serve",
        timeout: float | None = None,
    ) -> Rows:
        """Reads features of entities, all of the view's if none are named.

        A key is a dict of join keys, or the value alone where a view has one join key. policy is what to do with rows
        that are too old: serve, flag, null or refuse. Rows that are kept answer for serve and flag only.
        """
        return await self._run(self._core.rows(view, keys, features, policy, timeout))

    async def row(
        self,
        view: str,
        key: Key,
        features: Sequence[str] | None = None,
        *,
        policy: str = "serve",
        timeout: float | None = None,
    ) -> Row:
        """Reads features of one entity; see rows. Calls that run at the same time for the same view, features
        and policy go out as one."""
        names = None if features is None else tuple(features)
        return await self._batcher.row(view, key, names, policy, self._core.timeout if timeout is None else timeout)

    async def push(
        self, view: str, data: Any, *, seal: bool = False, wait: bool = False, timeout: float = 600.0
    ) -> answers.Pushed:
        """Appends rows to the view's log: dicts, a DataFrame, or an Arrow table; a column each join key, feature and
        the event time (times without a zone are UTC).

        seal closes the windows that the rows fall into, wait returns when these are judged, within timeout seconds.
        Each row gets an event_id if it has none, so that one that had to be sent twice counts once. Pushed.check
        raises Blocked if a window was not published. Refused rows become dead letters and do not fail the call.
        """
        return await self._run(self._core.push(view, data, seal, wait, timeout))

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

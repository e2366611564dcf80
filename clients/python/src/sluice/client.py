"""The client for programs that wait for answers. Safe for threads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from . import answers
from .cache import Keep
from .core import Core, Key
from .exchange import MAX_ANSWER, Lost, Pause, Reply, Send, Steps
from .retry import Retry
from .rows import Row, Rows

T = TypeVar("T")


def address(server: str | None) -> str:
    """Returns the server's URL: the argument, SLUICE_SERVER, or the default."""
    return (server or os.environ.get("SLUICE_SERVER") or "http://127.0.0.1:6566").rstrip("/")


def headers(token: str | None) -> dict[str, str]:
    """Returns the headers of every request; the token is the argument or SLUICE_TOKEN."""
    known = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "sluice-python"}
    token = token or os.environ.get("SLUICE_TOKEN")
    return known | ({"Authorization": f"Bearer {token}"} if token else {})


def lost(err: httpx.TransportError) -> Lost:
    """Says what an error of the transport means for another try."""
    arrived = not isinstance(err, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Lost(str(err) or type(err).__name__, arrived, isinstance(err, httpx.TimeoutException))


class Client:
    """A client of a Sluice server; close it, or use it in a with statement.

    server and token default to SLUICE_SERVER and SLUICE_TOKEN. timeout bounds a call in seconds, over all its
    tries. retry says how often calls are tried again, keep what is kept of rows to save calls and to answer when
    no server does (nothing by default); see Retry and Keep. Reads of more than max_entities keys are split.
    connections bounds the connections, which are used again.
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
        self._http = httpx.Client(base_url=address(server), headers=headers(token), limits=limits)

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
            else:
                outcome = [self._run(part) for part in step.parts]

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

    def rows(
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
        return self._run(self._core.rows(view, keys, features, policy, timeout))

    def row(
        self,
        view: str,
        key: Key,
        features: Sequence[str] | None = None,
        *,
        policy: str = "serve",
        timeout: float | None = None,
    ) -> Row:
        """Reads features of one entity; see rows."""
        return self._run(self._core.rows(view, [key], features, policy, timeout)).rows[0]

    def push(
        self, view: str, data: Any, *, seal: bool = False, wait: bool = False, timeout: float = 600.0
    ) -> answers.Pushed:
        """Appends rows to the view's log: dicts, a DataFrame, or an Arrow table; a column each join key, feature and
        the event time (times without a zone are UTC).

        seal closes the windows that the rows fall into, wait returns when these are judged, within timeout seconds.
        Each row gets an event_id if it has none, so that one that had to be sent twice counts once. Pushed.check
        raises Blocked if a window was not published. Refused rows become dead letters and do not fail the call.
        """
        return self._run(self._core.push(view, data, seal, wait, timeout))

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

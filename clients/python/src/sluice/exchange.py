"""One call and its tries, without input or output: generators yield steps, and a client takes them.

Everything that both clients do is written once in this way, in this file and in core.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from .errors import DeadlineExceeded, ServerFailure, SluiceError, Unavailable, of_answer
from .retry import Budget, Retry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A request. idempotent says that it may be sent again although it may have arrived."""

    method: str
    path: str
    body: bytes | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Send:
    """A step: send the call within seconds. Its result is a Reply or a Lost."""

    call: Call
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A step: wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together:
    """A step: run these, at the same time where that is possible. Its result is the list of their results."""

    parts: Sequence[Steps[Any]]


@dataclass(frozen=True, slots=True)
class Open:
    """A step: send the call, and keep the answer open for its lines. Its result is Opened, a Reply that is no
    success, or Lost."""

    call: Call
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """A step: the next line of the answer that is open, within seconds. Its result is bytes, None at the end, or
    Lost."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Part:
    """A step: give value to the caller. Its result is None, once the caller wants more."""

    value: Any


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer is open."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer: why, whether the call may have arrived, and whether time was up."""

    why: str
    arrived: bool
    late: bool = False


Step = Send | Pause | Together | Open | Line | Part
Steps = Generator[Step, Any, T]

_RETRIED = (429, 502, 503, 504)
MAX_ANSWER = 256 << 20  # bytes
MAX_ERROR = 1 << 20  # bytes of an answer that is no success, of a stream


class Deadline:
    """The time of a call, over all its tries."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._end = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 if none."""
        return self._end - time.monotonic()


class Lines:
    """Cuts what arrives of an answer into lines."""

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Takes bytes, and returns the lines that they complete, without their ends."""
        head, *rest = chunk.split(b"\n")
        self._tail.append(head)
        self._size += len(head)
        done: list[bytes] = []
        for part in rest:
            done.append(b"".join(self._tail))
            self._tail, self._size = [part], len(part)
        return done

    @property
    def too_long(self) -> bool:
        """Whether the line that is not complete is longer than any answer may be."""
        return self._size > MAX_ANSWER


def exchange(call: Call, deadline: Deadline, retry: Retry, budget: Budget) -> Steps[Any]:
    """Sends a call until it is answered, and returns the JSON of the answer."""
    budget.earn()
    for attempt in range(max(1, retry.attempts)):
        left = deadline.left
        if left <= 0:
            raise DeadlineExceeded(
                f"{call.path}: no answer within {deadline.seconds:g} s", hint="give it a longer timeout"
            )
        outcome = yield Send(call, min(left, retry.try_timeout or left))
        failed = judge(call, outcome, deadline)
        if failed is None:
            return parsed(call, outcome.body)
        pause = budget.pause(attempt, failed.after)
        if not failed.again or attempt + 1 >= retry.attempts or pause >= deadline.left or not budget.spend():
            raise failed.error
        yield Pause(pause)
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class Failed:
    """A try that failed: with what, whether another may help, and after how many seconds at least."""

    error: SluiceError
    again: bool = False
    after: float | None = None


def judge(call: Call, outcome: Reply | Lost, deadline: Deadline) -> Failed | None:
    """Says what is wrong with an outcome."""
    if isinstance(outcome, Lost):
        if outcome.late and deadline.left <= 0.001:
            text = f"{call.path}: no answer within {deadline.seconds:g} s"
            return Failed(DeadlineExceeded(text, hint="give it a longer timeout"))
        hint = "is it running? `sluice run` starts one, SLUICE_SERVER or server= names another"
        error = Unavailable(f"{call.path}: {outcome.why}", code="unavailable", hint=hint)
        return Failed(error, call.idempotent or not outcome.arrived)
    if outcome.status == 200:
        return None
    try:
        body = json.loads(outcome.body)
    except ValueError:
        body = None
    refused = outcome.headers.get("sluice-refused") == "true"
    after = _after(outcome.headers)
    # 429 without a wish is a limit that another try breaks again.
    again = outcome.status in _RETRIED and (outcome.status != 429 or after is not None)
    return Failed(of_answer(outcome.status, refused, body), again and call.idempotent and not refused, after)


def judge_line(body: Any) -> Failed:
    """Says what an error means that ends a stream after its first part: it comes without a status."""
    code = body["error"].get("code")
    return Failed(of_answer(_LINE_STATUS.get(code, 400), False, body), code in _LINE_STATUS)


_LINE_STATUS = {"unavailable": 503, "limit": 429}  # what is tried again behind the last part


def _after(headers: Mapping[str, str]) -> float | None:
    """Reads Retry-After: seconds, or the time of day by the server's own clock if it says that."""
    text = headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        now = headers.get("date")
        begin = parsedate_to_datetime(now).timestamp() if now else time.time()
        return max(0.0, parsedate_to_datetime(text).timestamp() - begin)
    except (ValueError, TypeError):
        return None


def parsed(call: Call, body: bytes) -> Any:
    """Reads JSON of an answer."""
    try:
        return json.loads(body)
    except ValueError as err:
        raise ServerFailure(
            f"{call.path}: the answer is no JSON", hint="is the address that of a Sluice server?"
        ) from err

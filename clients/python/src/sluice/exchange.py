"""One call and its tries, without input or output: generators yield steps, and a client takes them.

Everything that both clients do is written once in this way, in this file and in core.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
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


Steps = Generator[Send | Pause | Together, Any, T]

_RETRIED = (429, 502, 503, 504)
MAX_ANSWER = 256 << 20  # bytes


class Deadline:
    """The time of a call, over all its tries."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._end = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 if none."""
        return self._end - time.monotonic()


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
        error, again, after = _judge(call, outcome, deadline)
        if error is None:
            return _decode(call, outcome)
        pause = budget.pause(attempt, after)
        if not again or attempt + 1 >= retry.attempts or pause >= deadline.left or not budget.spend():
            raise error
        yield Pause(pause)
    raise AssertionError("unreachable")


def _judge(call: Call, outcome: Reply | Lost, deadline: Deadline) -> tuple[SluiceError | None, bool, float | None]:
    """Says what is wrong with an outcome, whether to try again, and after how many seconds at least."""
    if isinstance(outcome, Lost):
        again = call.idempotent or not outcome.arrived
        if outcome.late and deadline.left <= 0.001:
            text = f"{call.path}: no answer within {deadline.seconds:g} s"
            return DeadlineExceeded(text, hint="give it a longer timeout"), False, None
        hint = "is it running? `sluice run` starts one, SLUICE_SERVER or server= names another"
        return Unavailable(f"{call.path}: {outcome.why}", code="unavailable", hint=hint), again, None
    if outcome.status == 200:
        return None, False, None
    try:
        body = json.loads(outcome.body)
    except ValueError:
        body = None
    refused = outcome.headers.get("sluice-refused") == "true"
    error = of_answer(outcome.status, refused, body)
    return error, outcome.status in _RETRIED and call.idempotent and not refused, _after(outcome.headers)


def _after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _decode(call: Call, reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except ValueError as err:
        raise ServerFailure(
            f"{call.path}: the answer is no JSON", hint="is the address that of a Sluice server?"
        ) from err

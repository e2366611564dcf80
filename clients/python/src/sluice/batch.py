"""Single reads that run at the same time become one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .core import Key
from .errors import DeadlineExceeded, InvalidRequest
from .question import Question
from .rows import Row, Rows


class _Read(Protocol):
    def __call__(
        self, question: Question, keys: list[Key], timeout: float, context: list[Mapping[str, Any]] | None, /
    ) -> Awaitable[Rows]: ...


@dataclass
class _Waiting:
    key: Key
    timeout: float
    context: Mapping[str, Any] | None
    answer: asyncio.Future[Row]


_CALLS = 4  # calls of one question under way; what comes then waits and goes out together


@dataclass
class _Queue:
    waiting: list[_Waiting]
    running: int = 0
    scheduled: bool = False


class Batcher:
    """Gathers the reads of one turn of the event loop. While four calls of the same question are under way, later
    ones gather too, so that a busy program sends few large calls and an idle one waits for nothing."""

    def __init__(self, read: _Read, most: int) -> None:
        self._read, self._most = read, most
        self._queues: dict[Question, _Queue] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def row(self, question: Question, key: Key, timeout: float, context: Mapping[str, Any] | None = None) -> Row:
        """Reads one row with others, within timeout seconds."""
        one = _Waiting(key, timeout, context, asyncio.get_running_loop().create_future())
        self._queues.setdefault(question, _Queue([])).waiting.append(one)
        self._schedule(question)
        try:
            async with asyncio.timeout(timeout + 0.05):  # the call itself ends at timeout, and knows more
                return await one.answer
        except TimeoutError:
            text = f"{question.path()}: no answer within {timeout:g} s"
            raise DeadlineExceeded(text, hint="give it a longer timeout") from None

    def _schedule(self, question: Question) -> None:
        queue = self._queues[question]
        if not queue.waiting and not queue.running:
            del self._queues[question]
        elif queue.waiting and not queue.scheduled and queue.running < _CALLS:
            queue.scheduled = True
            asyncio.get_running_loop().call_soon(self._flush, question)

    def _flush(self, question: Question) -> None:
        queue = self._queues[question]
        part, queue.waiting = queue.waiting[: self._most], queue.waiting[self._most :]
        queue.scheduled = False
        queue.running += 1
        task = asyncio.get_running_loop().create_task(self._call(question, part))
        self._calls.add(task)
        task.add_done_callback(lambda done: self._ended(question, done))
        self._schedule(question)

    def _ended(self, question: Question, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._queues[question].running -= 1
        self._schedule(question)

    async def _call(self, question: Question, waiting: list[_Waiting]) -> None:
        waiting = [w for w in waiting if not w.answer.done()]
        if not waiting:
            return
        contexts = [w.context or {} for w in waiting] if question.computed else None
        timeout = max(w.timeout for w in waiting)
        try:
            rows = await self._read(question, [w.key for w in waiting], timeout, contexts)
        except InvalidRequest as err:
            if len(waiting) == 1:
                _fail(waiting, err)
            else:  # one wrong key must not fail the others
                await asyncio.gather(*(self._call(question, [w]) for w in waiting))
        except (Exception, asyncio.CancelledError) as err:
            _fail(waiting, err)
        else:
            for w, row in zip(waiting, rows.rows, strict=True):
                if not w.answer.done():
                    w.answer.set_result(row)


def _fail(waiting: list[_Waiting], err: BaseException) -> None:
    for w in waiting:
        if not w.answer.done():
            w.answer.set_exception(err if isinstance(err, Exception) else asyncio.CancelledError())

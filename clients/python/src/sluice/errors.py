"""Errors, by what a caller can do about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers import Pushed


class SluiceError(Exception):
    """Base of every error of this package.

    code is a word of the contract (``unknown_view``, ``limit``, ...), message says
    what is wrong, hint what to do, status is the HTTP status, 0 without an answer.
    """

    def __init__(self, message: str, *, code: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.message, self.code, self.hint, self.status = message, code, hint, status

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}" if self.code else self.message
        return f"{text} ({self.hint})" if self.hint else text


class InvalidRequest(SluiceError):
    """The request is wrong; sending it again does not help."""


class NotFound(InvalidRequest):
    """No view, feature, service, version or verdict of this name."""


class Unauthenticated(SluiceError):
    """No token, or one that the server does not know."""


class Forbidden(SluiceError):
    """The token's role does not allow it."""


class LimitExceeded(InvalidRequest):
    """The request is beyond a limit, which message and hint name."""


class Conflict(SluiceError):
    """Somebody else was first, or the state does not allow it. Nothing was changed."""


class Unavailable(SluiceError):
    """The server cannot be reached, or cannot do it now. Trying again later may help."""


class DeadlineExceeded(Unavailable):
    """No answer within the call's timeout."""


class Refused(SluiceError):
    """The rows are too old for the request's policy, or the view refuses reads."""


class NoNews(SluiceError):
    """Nothing happened in the time that was waited."""


class ServerFailure(SluiceError):
    """The server failed, or answered what is no answer of Sluice."""


class Blocked(SluiceError):
    """A pushed window was not published; ``pushed`` says which, and with what verdict."""

    def __init__(self, message: str, pushed: Pushed) -> None:
        super().__init__(message, hint="client.verdict(id).explain() says why")
        self.pushed = pushed


_BY_CODE: Mapping[str, type[SluiceError]] = {
    "unknown_view": NotFound,
    "unknown_feature": NotFound,
    "unknown_service": NotFound,
    "unauthenticated": Unauthenticated,
    "forbidden": Forbidden,
    "too_large": LimitExceeded,
    "limit": LimitExceeded,
    "conflict": Conflict,
    "certified": Conflict,
    "frozen": Conflict,
    "expired": Conflict,
    "internal": ServerFailure,
}

_BY_STATUS: Mapping[int, type[SluiceError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    408: NoNews,
    409: Conflict,
    413: LimitExceeded,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def of_answer(status: int, refused: bool, body: Any) -> SluiceError:
    """Returns the error that an answer other than 200 stands for."""
    fields = body.get("error") if isinstance(body, dict) else None
    if not isinstance(fields, dict) or not fields.get("message"):
        kind = _BY_STATUS.get(status, InvalidRequest if 400 <= status < 500 else ServerFailure)
        return kind(f"the server answered HTTP {status}", hint="is the address that of a Sluice server?", status=status)
    code = str(fields.get("code", ""))
    kind = _BY_STATUS.get(status) or _BY_CODE.get(code) or (InvalidRequest if 400 <= status < 500 else ServerFailure)
    if refused:
        kind = Refused
    return kind(str(fields["message"]), code=code, hint=str(fields.get("hint", "")), status=status)

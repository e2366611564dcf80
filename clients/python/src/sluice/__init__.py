"""Client of Sluice: features with their provenance, writes that are judged, verdicts.

Client waits for answers, AsyncClient is for asyncio; both have the same methods.
"""

from .aio import AsyncClient
from .answers import (
    Acted,
    Applied,
    Change,
    Pushed,
    PushedWindow,
    Reason,
    Verdict,
    Verdicts,
    Version,
    Versions,
    View,
    Window,
)
from .cache import Keep
from .client import Client
from .errors import (
    Blocked,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NoNews,
    NotFound,
    Refused,
    ServerFailure,
    SluiceError,
    Unauthenticated,
    Unavailable,
)
from .question import Features, Service
from .retry import Retry
from .rows import Provenance, Row, Rows
from .schema import Schema

__all__ = [
    "Acted",
    "Applied",
    "AsyncClient",
    "Blocked",
    "Change",
    "Client",
    "Conflict",
    "DeadlineExceeded",
    "Features",
    "Forbidden",
    "InvalidRequest",
    "Keep",
    "LimitExceeded",
    "NoNews",
    "NotFound",
    "Provenance",
    "Pushed",
    "PushedWindow",
    "Reason",
    "Refused",
    "Retry",
    "Row",
    "Rows",
    "Schema",
    "ServerFailure",
    "Service",
    "SluiceError",
    "Unauthenticated",
    "Unavailable",
    "Verdict",
    "Verdicts",
    "Version",
    "Versions",
    "View",
    "Window",
]

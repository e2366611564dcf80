"""Waiting until a service answers."""
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from . import process, state
from .config import TIMEOUT, Fail

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy


def http_ok(url: str) -> bool:
    """Say whether GET url answers with a 2xx status."""
    try:
        with _direct.open(url, timeout=2) as answer:
            return 200 <= answer.status < 300
    except OSError:
        return False


def wait(service: str, what: str, ready: Callable[[], bool]) -> None:
    """Wait until ready; a Fail with the log's end if a node dies first or time is up."""
    end, delay = time.monotonic() + TIMEOUT, 0.02
    while not ready():
        process.proceed()
        for name, node in state.load(service).nodes.items():
            if not node.alive():
                raise Fail(f"{service}: node {name} died before it was ready; the end of {node.log}:\n"
                           + process.tail(Path(node.log), 15))
        if time.monotonic() > end:
            raise Fail(f"{service}: no {what} within {TIMEOUT:.0f} s; see: services logs {service}")
        time.sleep(delay)
        delay = min(delay * 1.3, 0.25)

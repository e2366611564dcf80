"""Folders, versions and limits. Everything can be set in the environment."""
import os
import sys
from pathlib import Path

HOST = "127.0.0.1"

KAFKA_VERSION = os.environ.get("SERVICES_KAFKA_VERSION", "4.3.1")
DEBEZIUM_VERSION = os.environ.get("SERVICES_DEBEZIUM_VERSION", "3.6.3.Final")
APICURIO_VERSION = "2.6.13.Final"  # 3.x needs Java 21
LOG4J_VERSION = "2.25.4"


def _folder(variable: str, xdg: str, below_home: str) -> Path:
    """Return the folder that variable names, else one in the user's own folders."""
    if named := os.environ.get(variable):
        return Path(named).absolute()
    base = os.environ.get(xdg) or str(Path.home() / below_home)
    return Path(base).absolute() / "sluice-services"


CACHE = _folder("SERVICES_CACHE", "XDG_CACHE_HOME", ".cache")
STATE = _folder("SERVICES_STATE", "XDG_STATE_HOME", ".local/state")
TIMEOUT = float(os.environ.get("SERVICES_TIMEOUT", "180"))  # seconds until a service must be ready
ATTEMPTS = 4  # of a download; the waits between them are 2, 4 and 8 seconds


class Fail(Exception):
    """An error whose text is for the user; no traceback is shown."""


def say(text: str) -> None:
    """Report progress on standard error."""
    sys.stderr.write(f"services: {text}\n")
    sys.stderr.flush()


def setting(name: str, default: str) -> str:
    """Return SERVICES_<name>, or default if it is unset or empty."""
    return os.environ.get("SERVICES_" + name) or default

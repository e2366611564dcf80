"""One installation of one version, safe for callers in parallel."""
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from .config import CACHE, Fail, say
from .state import locked


def once(name: str, version: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of an installation; the first call makes it with build.

    build gets an empty folder. If it fails, or the process dies, the next call
    begins afresh.
    """
    target = CACHE / name / version
    done = target / ".installed"
    if done.exists():
        return target
    with locked(CACHE / ".locks" / f"install-{name}"):
        if done.exists():
            return target
        say(f"installing {name} {version}")
        began = time.monotonic()
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        build(target)
        done.touch()
        say(f"installed {name} {version} in {time.monotonic() - began:.1f} s")
    return target


def log_of(name: str) -> Path:
    """Return the log of an installation."""
    return CACHE / "logs" / f"{name}.log"


def need(program: str, packages: str) -> str:
    """Return the path of a program that this machine must have; a Fail names the packages."""
    if path := shutil.which(program):
        return path
    raise Fail(f"{program} is not on PATH; it comes with: {packages}")

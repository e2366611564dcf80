"""Processes: who they are, signals to all of a tree, commands that are tried again."""
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .config import ATTEMPTS, Fail, say

_FOREIGN = ("KAFKA_", "QUARKUS_", "PG", "AWS_")  # would change how a service starts


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what would steer a service, plus extra."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    return kept | extra


def start_ticks(pid: int) -> int | None:
    """Return when pid started, in ticks since boot; None if it is gone or a zombie.

    Together with the id this names a process for good: ids are used again.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def tree(pid: int) -> list[int]:
    """Return pid and all its descendants, parents first."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                todo += [int(child) for child in children.read_text().split()]
    return found


def send(pids: Sequence[int], sig: signal.Signals) -> None:
    """Send sig to each of pids; one that is gone is passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)


def resident_mib(pid: int) -> int:
    """Return the memory of pid and its descendants; pages they share count once."""
    total = 0
    for p in tree(pid):
        try:
            resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{p}/status").read_text())
            shared = int(Path(f"/proc/{p}/statm").read_text().split()[2]) * os.sysconf("SC_PAGESIZE") // 1024
        except (OSError, IndexError):
            continue
        total += (int(resident[1]) if resident else 0) - (shared if p != pid else 0)
    return max(total, 0) // 1024


class Interrupted(Fail):
    """A signal asked this process to end: what starts or installs a service gives up."""

    signal = 0  # the last one, which every thread looks at; nothing is raised out of a handler


def interrupt(number: int, _: object) -> None:
    """Ask this process to end: a signal handler."""
    Interrupted.signal = number


def proceed() -> None:
    """Raise Interrupted if this process was asked to end."""
    if Interrupted.signal:
        raise Interrupted("interrupted")


def run(command: Sequence[str], log: Path | None = None, env: dict[str, str] | None = None) -> int:
    """Run command to its end with its output appended to log, and return its exit status."""
    with contextlib.ExitStack() as stack:
        out = subprocess.DEVNULL
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            out = stack.enter_context(log.open("ab"))
            out.write(f"+ {' '.join(command)}\n".encode())
            out.flush()
        proceed()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env or environment())
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(0.2)
            if Interrupted.signal:
                send(tree(child.pid), signal.SIGTERM)


def must_run(command: Sequence[str], log: Path, env: dict[str, str] | None = None) -> None:
    """Run command; an exit status other than 0 is a Fail with the end of its log."""
    if status := run(command, log, env):
        raise Fail(f"{command[0]} exited with status {status}; the end of {log}:\n{tail(log, 12)}")


def fetch(command: Sequence[str], log: Path, env: dict[str, str] | None = None) -> None:
    """Run a command that downloads, and try again if it fails: registries have hiccups."""
    for attempt in range(1, ATTEMPTS):
        if run(command, log, env) == 0:
            return
        proceed()
        say(f"{command[0]} failed, attempt {attempt} of {ATTEMPTS}; again in {2 ** attempt} s (log: {log})")
        for _ in range(10 * 2 ** attempt):
            time.sleep(0.1)
            proceed()
    must_run(command, log, env)


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a file; nothing if it is not there."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""

"""services: installs and runs real services for tests on loopback.

  services up NAME...          install, start and wait until ready; what runs is left alone
  services install NAME...     install only
  services run NAME... -- COMMAND...   start on fresh data, run COMMAND with the environment, stop, delete
  services env [--json] [NAME...]      how clients reach what is up
  services status [--json]     nodes, process ids, memory; exit status 3 if a node died
  services logs NAME [LINES]   the ends of a service's logs
  services kill|pause|resume NAME [NODE]   SIGKILL, SIGSTOP, SIGCONT; up starts a killed node again
  services down [NAME...]      stop what this state folder started; data stays
  services wipe [NAME...]      the same, and delete data and logs
  services guard               wipe all once standard input ends, for example because its writer died
  services list                all names

Environment
  SERVICES_CACHE     installed programs; shared by all (default: sluice-services in the user's cache folder)
  SERVICES_STATE     data, logs and process ids; one for each set (default: in the user's state folder)
  SERVICES_TIMEOUT   seconds until a service must be ready (180)
  SERVICES_PORT_<NAME>[_<NODE>]   a fixed port, as SERVICES_PORT_KAFKA=9092 (default: a free one)
  SERVICES_KAFKA_HEAP, SERVICES_CONNECT_HEAP, SERVICES_REGISTRY_HEAP   limit of the Java heap
  SERVICES_KAFKA_JIT=full   all of the Java compiler: a slower start, for load tests
  SERVICES_KAFKA_CONF   broker settings, key=value,...
  SERVICES_PG_FSYNC=off, SERVICES_REDIS_AOF=yes   durability
  SERVICES_POSTGRES=apt    the packaged PostgreSQL even where one is installed
  SERVICES_PROMETHEUS=go   a newer Prometheus, built from source
"""
import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from . import process, state
from .catalog import SERVICES, known, with_needs
from .config import STATE, Fail, say

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}


# ------------------------------------------------------------------ many services at once
def each(names: list[str], work: Callable[[str], None], prepare: Callable[[str], object] | None = None) -> None:
    """Prepare all names at once, and do work for each as soon as it is done for those that it must follow.

    One Fail tells of all that failed.
    """
    done: dict[str, Future[None]] = {}

    def one(name: str) -> None:
        if prepare:
            prepare(name)
        for other in (*SERVICES[name].needs, *SERVICES[name].after):
            if other in done and done[other].exception():
                raise Fail(f"{name} was not started, because {other} was not")
        work(name)
    with ThreadPoolExecutor(max_workers=len(SERVICES)) as pool:
        for name in sorted(names, key=list(SERVICES).index):  # what is waited for is submitted first
            done[name] = pool.submit(one, name)
    process.proceed()
    problems = [f.exception() for f in done.values() if f.exception()]
    if strange := [p for p in problems if not isinstance(p, (Fail, OSError))]:
        raise strange[0]
    if problems:
        raise Fail("\n".join(map(str, problems)))


def install(name: str) -> None:
    """Install one service."""
    SERVICES[name].install()


def start(name: str) -> None:
    """Bring one service up."""
    with state.locked(state.lock_of(name)):
        began, was = time.monotonic(), state.load(name).alive()
        SERVICES[name].up()
        say(f"{name} {'was up' if was else 'is up'} after {time.monotonic() - began:.1f} s")


def up(names: list[str]) -> None:
    """Bring services up, with what they need."""
    if not names:
        raise Fail("up: name at least one service; services list names them")
    with state.locked(STATE / ".locks" / "set", fcntl.LOCK_SH):
        each(with_needs(names), start, install)


def down(names: list[str], wipe: bool) -> None:
    """Stop services, all at once; wipe deletes their folders, too."""
    def one(name: str) -> None:
        if not state.folder(name).exists():
            return
        with state.locked(state.lock_of(name)):
            count = state.stop(name, SERVICES[name].stop_signal)
            if wipe:
                shutil.rmtree(state.folder(name))
        if count:
            say(f"{name} is down, {count} stopped")
    each(known(names) or list(SERVICES), one)


def clear() -> None:
    """Stop everything, also what another process is starting at this moment, and delete the state folder."""
    with state.locked(STATE / ".locks" / "set"):
        down([], wipe=True)
    shutil.rmtree(STATE, ignore_errors=True)


# ------------------------------------------------------------------ what clients and people ask
def environment(names: list[str]) -> dict[str, dict[str, str]]:
    """Return the variables of each service that is up; a Fail if one of names is not."""
    missing = [n for n in known(names) if not state.load(n).alive()]
    if missing:
        raise Fail(f"not up: {' '.join(missing)}; start with: SERVICES_STATE={STATE} {sys.argv[0]} up {' '.join(missing)}")
    return {n: s.env() for n, s in SERVICES.items() if (n in names or not names) and state.load(n).alive()}


def env(arguments: list[str]) -> None:
    """Print the environment, for a shell or as JSON."""
    found = environment([a for a in arguments if a != "--json"])
    if "--json" in arguments:
        print(json.dumps(found, indent=1))
        return
    for variables in found.values():
        for key, value in variables.items():
            print(f"export {key}={shlex.quote(value)}")


def status(arguments: list[str]) -> int:
    """Print all nodes, and return 3, unless as JSON, if one of them died."""
    rows = []
    for name in SERVICES:
        for key, node in state.load(name).nodes.items():
            live = node.alive()
            rows.append({"service": name, "node": key, "addr": node.addr, "pid": node.pid, "up": live,
                         "rss_mib": process.resident_mib(node.pid) if live else 0})
    if "--json" in arguments:
        print(json.dumps(rows, indent=1))
        return 0
    for r in rows:
        print(f"{r['service']:16} {r['node']:12} {'up' if r['up'] else 'DEAD':5} {r['addr']:16} pid {r['pid']:<8} {r['rss_mib']:5} MiB")
    return 0 if all(r["up"] for r in rows) else 3


def logs(name: str, lines: int) -> None:
    """Print the ends of a service's logs."""
    for path in sorted(state.folder(known([name])[0]).glob("*.log")):
        print(f"== {path}\n{process.tail(path, lines)}")


# ------------------------------------------------------------------ sets that end with a process
def run(arguments: list[str]) -> int:
    """Run a command between up and clear, and return its exit status."""
    if "--" not in arguments or arguments[-1] == "--":
        raise Fail("run: want NAME... -- COMMAND...")
    split = arguments.index("--")
    names, command = arguments[:split], arguments[split + 1:]
    with state.locked(STATE.with_name(STATE.name + ".lock")):
        try:
            clear()
            up(names)
            variables = {k: v for e in environment([]).values() for k, v in e.items()}
            return _attend(command, os.environ | variables | {"SLUICE_TEST_SERVICES": str(STATE)})
        finally:
            _ignore_endings()
            clear()


def _attend(command: list[str], variables: dict[str, str]) -> int:
    """Run command to its end and return its exit status, 128 and more for a signal.

    A signal goes to the command's descendants, too: go test does not pass it on.
    """
    child, passed = subprocess.Popen(command, env=variables), 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = child.wait(0.2)
            return status if status >= 0 else 128 - status
        if process.Interrupted.signal != passed:
            passed = process.Interrupted.signal
            process.send(process.tree(child.pid), passed)


def _ignore_endings() -> None:
    """From here on this process only cleans up."""
    for sig in _ENDINGS:
        signal.signal(sig, signal.SIG_IGN)
    process.Interrupted.signal = 0


def guard() -> None:
    """Wait for the end of standard input, and clear. Signals to the group of the starter do not end a guard."""
    _ignore_endings()
    sys.stdin.buffer.read()
    clear()


# ------------------------------------------------------------------ entry
def dispatch(verb: str, arguments: list[str]) -> int:
    """Do what verb asks, and return the exit status."""
    match verb, arguments:
        case ("help" | "-h" | "--help"), _:
            print(__doc__.strip())
        case "list", []:
            print("\n".join(SERVICES))
        case "install", _:
            each(with_needs(arguments), install)
        case "up", _:
            up(arguments)
        case "down", _:
            down(arguments, wipe=False)
        case "wipe", []:
            clear()
        case "wipe", _:
            down(arguments, wipe=True)
        case "env", _:
            env(arguments)
        case "status", _:
            return status(arguments)
        case "logs", [name, *lines]:
            logs(name, int(lines[0]) if lines else 40)
        case ("kill" | "pause" | "resume"), [name, *node]:
            state.signal_node(known([name])[0], node[0] if node else "", _SIGNALS[verb])
        case "run", _:
            return run(arguments)
        case "guard", []:
            guard()
        case _:
            raise Fail(f"{verb} {' '.join(arguments)}: not understood; see: services help")
    return 0


def main(arguments: list[str]) -> int:
    """Run one verb, and return the exit status: 1 for a Fail, 130 for an interrupt."""
    for sig in _ENDINGS:
        signal.signal(sig, process.interrupt)
    try:
        return dispatch(arguments[0] if arguments else "help", arguments[1:])
    except process.Interrupted:
        say("interrupted")
        return 130
    except Fail as problem:
        say(f"error: {problem}")
        return 1

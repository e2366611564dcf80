"""What a state folder records: the nodes of each service and their ports."""
import contextlib
import dataclasses
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from . import process
from .config import CACHE, HOST, STATE, Fail


@dataclasses.dataclass
class Node:
    """One process of a service."""

    pid: int
    start: int | None  # ticks since boot, see process.start_ticks
    log: str
    addr: str  # host:port on which clients reach the node

    def alive(self) -> bool:
        """Say whether this very process, not another with its id, runs."""
        return self.start is not None and process.start_ticks(self.pid) == self.start


@dataclasses.dataclass
class Record:
    """What is known of one service: kept as state.json in the service's folder."""

    nodes: dict[str, Node] = dataclasses.field(default_factory=dict)
    ports: dict[str, int] = dataclasses.field(default_factory=dict)

    def alive(self) -> bool:
        """Say whether the service has nodes and all of them run."""
        return bool(self.nodes) and all(n.alive() for n in self.nodes.values())


def folder(service: str) -> Path:
    """Return the folder of a service's data and logs."""
    return STATE / service


def load(service: str) -> Record:
    """Read the record of a service; it is empty before the first start."""
    try:
        raw = json.loads((folder(service) / "state.json").read_text())
    except FileNotFoundError:
        return Record()
    return Record({k: Node(**n) for k, n in raw["nodes"].items()}, raw["ports"])


def save(service: str, record: Record) -> None:
    """Write the record of a service."""
    write(folder(service) / "state.json", json.dumps(dataclasses.asdict(record), indent=1))


def write(path: Path, text: str) -> Path:
    """Write a file so that no reader sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
    return path


@contextlib.contextmanager
def locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a lock between processes and threads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as f:
        while not _acquired(f, how):
            process.proceed()
            time.sleep(0.02)
        yield


def _acquired(f: TextIO, how: int) -> bool:
    try:
        fcntl.flock(f, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_of(service: str) -> Path:
    """Return the lock of a service: starting and stopping it exclude each other."""
    return STATE / ".locks" / service


# ------------------------------------------------------------------ ports
def answers(port: int) -> bool:
    """Say whether something listens on port."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 0.5):
        return True
    return False


def port_for(service: str, key: str = "main") -> int:
    """Return SERVICES_PORT_<SERVICE>[_<KEY>], else the port used before, else a free one.

    Free ports lie below the range from which the kernel takes the ports of
    outgoing connections: a client of a killed node could otherwise be given the
    node's own port.
    """
    fixed = os.environ.get("SERVICES_PORT_" + (service if key == "main" else f"{service}_{key}").upper().replace("-", "_"))
    with locked(CACHE / ".locks" / "ports"):
        record = load(service)
        port = int(fixed) if fixed else record.ports.get(key)
        if port is None or (not fixed and not record.nodes and answers(port)):
            port = _free_port()
        record.ports[key] = port
        save(service, record)
    return port


def _free_port() -> int:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    taken = {p for r in STATE.glob("*/state.json") for p in load(r.parent.name).ports.values()}
    candidates = range(12000, low if low > 13000 else 32768)
    for port in random.sample(candidates, len(candidates)):
        if port not in taken:
            with contextlib.suppress(OSError), socket.socket() as s:
                s.bind((HOST, port))
                return port
    raise Fail(f"no free port from {candidates.start} to {candidates.stop - 1}")


# ------------------------------------------------------------------ nodes
def spawn(service: str, name: str, command: Sequence[str | Path], port: int, env: dict[str, str] | None = None) -> None:
    """Start a node unless it runs; one that is paused goes on."""
    record = load(service)
    if (node := record.nodes.get(name)) and node.alive():
        process.send(process.tree(node.pid), signal.SIGCONT)
        return
    log = folder(service) / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    process.proceed()
    with log.open("ab") as out:
        child = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 cwd=folder(service), env=env or process.environment(), start_new_session=True)
        record.nodes[name] = Node(child.pid, process.start_ticks(child.pid), str(log), f"{HOST}:{port}")
        save(service, record)


def signal_node(service: str, name: str, sig: signal.Signals) -> None:
    """Send sig to a node and its descendants; return from SIGKILL when they are gone."""
    nodes = load(service).nodes
    name = name or next(iter(nodes), "")
    if name not in nodes or not nodes[name].alive():
        raise Fail(f"{service} has no live node {name!r} (nodes: {' '.join(nodes) or 'none'}); start it with: services up {service}")
    pids = process.tree(nodes[name].pid)
    process.send(pids, sig)
    while sig == signal.SIGKILL and any(process.start_ticks(p) for p in pids):
        time.sleep(0.01)


def stop(service: str, sig: signal.Signals, grace: float = 10.0) -> int:
    """Stop the recorded nodes, after grace seconds with SIGKILL, and return how many ran."""
    record = load(service)
    live = [n for n in record.nodes.values() if n.alive()]
    for node in live:
        process.send(process.tree(node.pid), signal.SIGCONT)
        process.send([node.pid], sig)
    end = time.monotonic() + grace
    while any(n.alive() for n in live):
        if time.monotonic() > end:
            for node in (n for n in live if n.alive()):
                process.send(process.tree(node.pid), signal.SIGKILL)
        time.sleep(0.02)
    record.nodes = {}
    save(service, record)
    return len(live)

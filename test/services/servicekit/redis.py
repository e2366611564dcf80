"""Redis: a single node, a cluster of six, a primary and replica under sentinels."""
from pathlib import Path

from . import apt, resp, state
from .config import HOST, setting
from .probe import wait

CLUSTER = [f"n{i}" for i in range(6)]  # the first three begin as masters
SENTINELS = ["s0", "s1", "s2"]
MASTER = "main"  # what the sentinels call the primary


def install() -> Path:
    """Return the root folder of Redis."""
    return apt.unpack("redis", ["redis-server", "redis-tools"])


def _start(service: str, node: str, port: int, *extra: object) -> None:
    """Start a data node; it persists nothing unless SERVICES_REDIS_AOF=yes."""
    root = install()
    data = state.folder(service) / f"data-{node}"
    data.mkdir(parents=True, exist_ok=True)
    state.spawn(service, node, [
        root / "usr/bin/redis-server", "--port", port, "--bind", HOST, "--dir", data, "--daemonize", "no",
        "--save", "", "--appendonly", setting("REDIS_AOF", "no"), "--protected-mode", "yes", "--repl-diskless-sync-delay", 0, *extra,
    ], port, apt.libraries(root))


# ------------------------------------------------------------------ single
def up_single() -> None:
    """Start one node."""
    port = state.port_for("redis")
    _start("redis", "redis", port)
    wait("redis", "answer to PING", lambda: resp.answers(port))


def env_single() -> dict[str, str]:
    """Return REDIS_ADDR, and REDIS_CLI: a program for debugging."""
    return {"REDIS_ADDR": f"{HOST}:{state.load('redis').ports['main']}", "REDIS_CLI": f"{install()}/usr/bin/redis-cli"}


# ------------------------------------------------------------------ cluster
def up_cluster() -> None:
    """Start six nodes and, the first time, make three masters with a replica each of them."""
    name = "redis-cluster"
    ports = [state.port_for(name, node) for node in CLUSTER]
    buses = [state.port_for(name, f"{node}-bus") for node in CLUSTER]
    for node, port, bus in zip(CLUSTER, ports, buses):
        _start(name, node, port, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", bus,
               "--cluster-node-timeout", "2000", "--cluster-announce-ip", HOST, "--cluster-replica-validity-factor", "0")
    for port in ports:
        wait(name, "answer to PING", lambda: resp.answers(port))
    if not (state.folder(name) / "created").exists():
        _create(name, ports, buses)
        (state.folder(name) / "created").touch()
    wait(name, "cluster_state:ok with all replicas linked", lambda: all(
        resp.fields(p, "CLUSTER", "INFO").get("cluster_state") == "ok" and resp.linked(p) for p in ports))
    wait(name, "cluster of six connected nodes", lambda: str(resp.call(ports[0], "CLUSTER", "NODES")).count(" connected") == 6)


def _create(name: str, ports: list[int], buses: list[int]) -> None:
    """Deal out the slots and join the nodes; what a former, broken call did is undone first."""
    for i, port in enumerate(ports):
        resp.call(port, "CLUSTER", "RESET", "HARD")
        resp.call(port, "CLUSTER", "SET-CONFIG-EPOCH", i + 1)
    for i, (first, last) in enumerate([(0, 5460), (5461, 10922), (10923, 16383)]):
        resp.call(ports[i], "CLUSTER", "ADDSLOTSRANGE", first, last)
    for port in ports[1:]:
        resp.call(port, "CLUSTER", "MEET", HOST, ports[0], buses[0])
    wait(name, "meeting of six nodes", lambda: all(
        resp.fields(p, "CLUSTER", "INFO").get("cluster_known_nodes") == "6" for p in ports))
    for master, replica in zip(ports[:3], ports[3:]):
        identity = resp.call(master, "CLUSTER", "MYID")
        wait(name, "replica", lambda: _replicate(replica, identity))


def _replicate(port: int, master: resp.Reply) -> bool:
    """Make the node a replica; False while it does not know the master yet."""
    try:
        return resp.call(port, "CLUSTER", "REPLICATE", master) == "OK"
    except resp.RespError:
        return False


def env_cluster() -> dict[str, str]:
    """Return REDIS_CLUSTER_ADDRS: all six nodes."""
    ports = state.load("redis-cluster").ports
    return {"REDIS_CLUSTER_ADDRS": ",".join(f"{HOST}:{ports[n]}" for n in CLUSTER)}


# ------------------------------------------------------------------ sentinel
def up_sentinel() -> None:
    """Start a primary, a replica and three sentinels, which fail over after about a second."""
    name = "redis-sentinel"
    data = {node: state.port_for(name, node) for node in ("primary", "replica")}
    sentinels = {node: state.port_for(name, node) for node in SENTINELS}
    master = next(filter(None, map(_master, sentinels.values())), data["primary"])
    for node, port in data.items():
        _start(name, node, port, *(("--replicaof", f"{HOST} {master}") if port != master else ()))
    for port in data.values():
        wait(name, "answer to PING", lambda: resp.answers(port))
    for node, port in sentinels.items():
        _start_sentinel(name, node, port, master)
    wait(name, "agreement of the sentinels", lambda: all(map(_complete, sentinels.values())))
    wait(name, "linked replica", lambda: all(map(resp.linked, data.values())))


def _start_sentinel(name: str, node: str, port: int, master: int) -> None:
    """Start a sentinel; it keeps what it learns in its configuration file."""
    root, conf = install(), state.folder(name) / f"{node}.conf"
    if not conf.exists():
        state.write(conf, f"port {port}\nbind {HOST}\nsentinel monitor {MASTER} {HOST} {master} 2\n"
                          f"sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 3000\n")
    state.spawn(name, node, [root / "usr/bin/redis-server", conf, "--sentinel"], port, apt.libraries(root))


def _master(sentinel: int) -> int | None:
    """Return the port of the primary that a sentinel names; None if it does not answer."""
    try:
        address = resp.call(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
    except (OSError, resp.RespError):
        return None
    return int(address[1]) if address else None


def _complete(sentinel: int) -> bool:
    """Say whether a sentinel sees a healthy primary, its replica and the other two sentinels."""
    try:
        reply = resp.call(sentinel, "SENTINEL", "MASTER", MASTER)
    except (OSError, resp.RespError):
        return False
    seen = dict(zip(reply[::2], reply[1::2]))
    return seen["flags"] == "master" and seen["num-slaves"] == "1" and seen["num-other-sentinels"] == "2"


def env_sentinel() -> dict[str, str]:
    """Return REDIS_SENTINEL_ADDRS and REDIS_SENTINEL_MASTER."""
    ports = state.load("redis-sentinel").ports
    return {"REDIS_SENTINEL_ADDRS": ",".join(f"{HOST}:{ports[n]}" for n in SENTINELS), "REDIS_SENTINEL_MASTER": MASTER}

"""Kafka in KRaft mode: one node, or three with replication."""
import base64
import socket
import uuid
from functools import partial
from pathlib import Path

from . import maven, state
from .config import HOST, KAFKA_VERSION, LOG4J_VERSION, setting
from .probe import wait
from .process import must_run

_METADATA = b"\x00\x03\x00\x01" b"\x00\x00\x00\x07" b"\x00\x02up" b"\x00\x00\x00\x00"  # key 3, version 1, id 7, client "up", no topics


def cluster_id() -> str:
    """Return a new cluster id, 22 characters of base64url: one that does not begin like an option, which the format tool would take it for."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def install() -> Path:
    """Return the folder of Kafka's jars."""
    return maven.classpath("kafka", KAFKA_VERSION, [f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
                                                    f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J_VERSION}"])


def up(name: str, size: int) -> None:
    """Start size nodes, each broker and controller, and wait until every one lists them all."""
    classpath, java = f"{install()}/*", maven.java()
    ports = [state.port_for(name, _key(i)) for i in range(size)]
    voters = [state.port_for(name, f"controller{i}") for i in range(size)]
    logging = maven.log4j(state.folder(name) / "log4j2.xml")
    options = [f"-Xmx{setting('KAFKA_HEAP', '768m' if size == 1 else '384m')}", "-Xms128m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
    if setting("KAFKA_JIT", "quick") != "full":
        options.append("-XX:TieredStopAtLevel=1")  # starts in two thirds of the time, and is slower under load
    for i in range(size):
        data = state.folder(name) / f"data{i}"
        conf = state.write(state.folder(name) / f"server{i}.properties", _properties(i, ports, voters, data))
        if not (data / "meta.properties").exists():
            _format(name, [java, "-XX:TieredStopAtLevel=1", "-Xmx128m", logging, "-cp", classpath], conf, data)
        state.spawn(name, f"broker{i}", [java, *options, logging, "-Djava.awt.headless=true", "-cp", classpath, "kafka.Kafka", conf], ports[i])
    for port in ports:
        wait(name, f"metadata with {size} brokers", partial(_lists, port, size))


def _key(i: int) -> str:
    """Return the name of a broker's port in the record."""
    return "main" if i == 0 else f"broker{i}"


def _properties(i: int, ports: list[int], voters: list[int], data: Path) -> str:
    """Return the configuration of node i; SERVICES_KAFKA_CONF="key=value,..." overrides it."""
    copies = len(ports)
    quorum = 2 if copies == 3 else 1
    conf = {
        "process.roles": "broker,controller", "node.id": i + 1,
        "controller.quorum.voters": ",".join(f"{k + 1}@{HOST}:{port}" for k, port in enumerate(voters)),
        "listeners": f"PLAINTEXT://{HOST}:{ports[i]},CONTROLLER://{HOST}:{voters[i]}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{ports[i]}", "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT", "log.dirs": data, "num.partitions": 4,
        "auto.create.topics.enable": "false", "default.replication.factor": copies, "min.insync.replicas": quorum,
        "offsets.topic.replication.factor": copies, "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": copies, "transaction.state.log.min.isr": quorum,
        "transaction.state.log.num.partitions": 8, "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": 1, "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0, "broker.session.timeout.ms": 6000, "log.cleaner.dedupe.buffer.size": 8 << 20,
    }
    for pair in filter(None, setting("KAFKA_CONF", "").split(",")):
        key, value = pair.split("=", 1)
        conf[key] = value
    return "".join(f"{key}={value}\n" for key, value in conf.items())


def _format(name: str, java: list[str], conf: Path, data: Path) -> None:
    """Format a node's data folder; all nodes of a cluster share its id."""
    identity = state.folder(name) / "cluster.id"
    if not identity.exists():
        state.write(identity, cluster_id())
    must_run([*java, "kafka.tools.StorageTool", "format", "-t", identity.read_text(), "-c", str(conf)], state.folder(name) / "format.log")


def _lists(port: int, size: int) -> bool:
    """Say whether the broker's metadata lists size brokers."""
    try:
        with socket.create_connection((HOST, port), 2) as s, s.makefile("rb") as f:
            s.settimeout(2)
            s.sendall(len(_METADATA).to_bytes(4, "big") + _METADATA)
            reply = f.read(int.from_bytes(f.read(4), "big"))
    except OSError:
        return False
    return int.from_bytes(reply[4:8], "big") == size


def brokers(name: str, size: int) -> str:
    """Return the addresses of the brokers, joined by commas."""
    ports = state.load(name).ports
    return ",".join(f"{HOST}:{ports[_key(i)]}" for i in range(size))

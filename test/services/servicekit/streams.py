"""What runs beside Kafka: a schema registry, and Connect with the Debezium connector for PostgreSQL."""
from pathlib import Path

from . import maven, state
from .config import APICURIO_VERSION, DEBEZIUM_VERSION, HOST, KAFKA_VERSION, LOG4J_VERSION, setting
from .kafka import brokers
from .probe import http_ok, wait

_SMALL = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # a quick start counts more than throughput


# ------------------------------------------------------------------ schema registry
def install_registry() -> Path:
    """Return the folder of Apicurio Registry."""
    return maven.archive("schema-registry", f"io.apicurio:apicurio-registry-app:{APICURIO_VERSION}:tar.gz:all")


def up_registry() -> None:
    """Start the registry; it keeps its schemas in memory."""
    name = "schema-registry"
    jar, port = next(install_registry().glob("*runner.jar")), state.port_for(name)
    state.spawn(name, "registry", [maven.java(), f"-Xmx{setting('REGISTRY_HEAP', '256m')}", *_SMALL, f"-Dquarkus.http.host={HOST}",
                                   f"-Dquarkus.http.port={port}", "-Djava.net.preferIPv4Stack=true", "-jar", jar], port)
    wait(name, "answer to GET subjects", lambda: http_ok(env_registry()["SCHEMA_REGISTRY_URL"] + "/subjects"))


def env_registry() -> dict[str, str]:
    """Return SCHEMA_REGISTRY_URL: the Confluent API, version 7."""
    return {"SCHEMA_REGISTRY_URL": f"http://{HOST}:{state.load('schema-registry').ports['main']}/apis/ccompat/v7"}


# ------------------------------------------------------------------ connect
def install_connect() -> tuple[Path, Path]:
    """Return the folders of Connect's and of the connector's jars."""
    worker = maven.classpath("connect", KAFKA_VERSION, [
        f"org.apache.kafka:connect-runtime:{KAFKA_VERSION}", f"org.apache.kafka:connect-json:{KAFKA_VERSION}",
        f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J_VERSION}"])
    connector = maven.classpath("debezium", DEBEZIUM_VERSION, [f"io.debezium:debezium-connector-postgres:{DEBEZIUM_VERSION}"])
    return worker, connector


def up_connect() -> None:
    """Start one worker on the service kafka."""
    name, (worker, connector) = "connect", install_connect()
    port = state.port_for(name)
    conf = state.write(state.folder(name) / "worker.properties", _worker(port, connector.parent))
    logging = maven.log4j(state.folder(name) / "log4j2.xml")
    state.spawn(name, "worker", [maven.java(), f"-Xmx{setting('CONNECT_HEAP', '384m')}", *_SMALL, logging, "-cp", f"{worker}/*",
                                 "org.apache.kafka.connect.cli.ConnectDistributed", conf], port)
    wait(name, "answer to GET connectors", lambda: http_ok(env_connect()["CONNECT_URL"] + "/connectors"))


def _worker(port: int, plugins: Path) -> str:
    """Return the configuration of the worker: JSON without schemas."""
    conf = {
        "bootstrap.servers": brokers("kafka", 1), "group.id": "connect", "listeners": f"http://{HOST}:{port}",
        "rest.advertised.host.name": HOST, "plugin.path": plugins, "plugin.discovery": "service_load",
        "offset.flush.interval.ms": 1000, "scheduled.rebalance.max.delay.ms": 0,
        "offset.storage.partitions": 2, "status.storage.partitions": 2,
    }
    for topic in ("config", "offset", "status"):
        conf[f"{topic}.storage.topic"] = f"_connect_{topic}"
        conf[f"{topic}.storage.replication.factor"] = 1
    for part in ("key", "value"):
        conf[f"{part}.converter"] = "org.apache.kafka.connect.json.JsonConverter"
        conf[f"{part}.converter.schemas.enable"] = "false"
    return "".join(f"{key}={value}\n" for key, value in conf.items())


def env_connect() -> dict[str, str]:
    """Return CONNECT_URL."""
    return {"CONNECT_URL": f"http://{HOST}:{state.load('connect').ports['main']}"}

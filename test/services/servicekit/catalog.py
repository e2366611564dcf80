"""The table of all services."""
import dataclasses
import signal
from collections.abc import Callable
from functools import partial

from . import faults, gotool, kafka, metrics, objects, postgres, redis, streams
from .config import Fail


@dataclasses.dataclass(frozen=True)
class Service:
    """How a service is installed and started, and what it tells its clients."""

    install: Callable[[], object]
    up: Callable[[], None]  # idempotent; returns when the service answers
    env: Callable[[], dict[str, str]]
    needs: tuple[str, ...] = ()  # services that are started first
    after: tuple[str, ...] = ()  # services that are started first if they are wanted, too
    stop_signal: signal.Signals = signal.SIGTERM


SERVICES = {
    "redis": Service(redis.install, redis.up_single, redis.env_single),
    "redis-cluster": Service(redis.install, redis.up_cluster, redis.env_cluster),
    "redis-sentinel": Service(redis.install, redis.up_sentinel, redis.env_sentinel),
    "postgres": Service(postgres.install, postgres.up, postgres.env, stop_signal=signal.SIGINT),  # without waiting for clients
    "kafka": Service(kafka.install, partial(kafka.up, "kafka", 1), lambda: {"KAFKA_BROKERS": kafka.brokers("kafka", 1)}),
    "kafka3": Service(kafka.install, partial(kafka.up, "kafka3", 3), lambda: {"KAFKA3_BROKERS": kafka.brokers("kafka3", 3)}),
    "schema-registry": Service(streams.install_registry, streams.up_registry, streams.env_registry),
    "connect": Service(streams.install_connect, streams.up_connect, streams.env_connect, needs=("kafka",)),
    "s3": Service(partial(gotool.build, "versitygw"), objects.up, objects.env),
    "alertmanager": Service(metrics.install_alertmanager, metrics.up_alertmanager, metrics.env_alertmanager),
    "prometheus": Service(metrics.install_prometheus, metrics.up_prometheus, metrics.env_prometheus, after=("alertmanager",)),
    "toxiproxy": Service(partial(gotool.build, "toxiproxy"), faults.up, faults.env),
}


def known(names: list[str]) -> list[str]:
    """Return names without doubles; a Fail lists those that are no services."""
    if strange := [n for n in names if n not in SERVICES]:
        raise Fail(f"no such service: {' '.join(strange)} (there are: {' '.join(SERVICES)})")
    return list(dict.fromkeys(names))


def with_needs(names: list[str]) -> list[str]:
    """Return names and what they need."""
    return known([need for n in known(names) for need in SERVICES[n].needs] + names)

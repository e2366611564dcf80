"""Toxiproxy: latency, cuts and narrow bandwidth between a client and a service."""
from . import gotool, state
from .config import HOST
from .probe import http_ok, wait

NAME = "toxiproxy"


def up() -> None:
    """Start the server; tests create their own proxies through its API."""
    program, port = gotool.build(NAME), state.port_for(NAME)
    state.spawn(NAME, NAME, [program, "-host", HOST, "-port", port], port)
    wait(NAME, "answer to /version", lambda: http_ok(f"http://{HOST}:{port}/version"))


def env() -> dict[str, str]:
    """Return TOXIPROXY_URL."""
    return {"TOXIPROXY_URL": f"http://{HOST}:{state.load(NAME).ports['main']}"}

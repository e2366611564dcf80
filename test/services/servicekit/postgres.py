"""PostgreSQL: the installed one, else the distribution's packages."""
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import apt, state
from .config import HOST, Fail, setting
from .install import need
from .probe import wait
from .process import environment, must_run, run

NAME = "postgres"


def install() -> tuple[Path, dict[str, str]]:
    """Return the folder of PostgreSQL's programs and the environment that they need."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if installed and setting("POSTGRES", "installed") != "apt":
        return installed[-1].parent, environment()
    version = _packaged()
    root = apt.unpack(NAME, [f"postgresql-{version}", f"postgresql-client-{version}", "libpq5"])
    return root / f"usr/lib/postgresql/{version}/bin", apt.libraries(root)


def _packaged() -> str:
    """Return the version that the distribution's package postgresql stands for."""
    text = subprocess.run([need("apt-cache", "apt"), "depends", "postgresql"], capture_output=True, text=True, check=False).stdout
    if found := re.search(r"Depends: postgresql-(\d+)", text):
        return found[1]
    raise Fail("apt knows no package postgresql: run apt-get update, or install PostgreSQL")


def _unprivileged() -> list[str]:
    """Return a prefix for commands: the server refuses root, so root becomes another user in a namespace."""
    if os.geteuid() != 0:
        return []
    prefix = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    if run([*prefix, "true"]) == 0:
        return prefix
    raise Fail("PostgreSQL refuses to run as root and user namespaces are off: run this as an ordinary user")


def up() -> None:
    """Start the server with logical replication on, without passwords and TLS, over TCP only."""
    programs, env = install()
    port, data, prefix = state.port_for(NAME), state.folder(NAME) / "data", _unprivileged()
    if not (data / "PG_VERSION").exists():
        shutil.rmtree(data, ignore_errors=True)
        must_run([*prefix, f"{programs}/initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync"], state.folder(NAME) / "initdb.log", env)
    if not state.load(NAME).alive():
        (data / "postmaster.pid").unlink(missing_ok=True)  # left by a SIGKILL, which took all its processes
    settings = {"listen_addresses": HOST, "port": port, "unix_socket_directories": "", "wal_level": "logical", "max_connections": 200,
                "max_wal_senders": 16, "max_replication_slots": 16, "shared_buffers": "128MB", "fsync": setting("PG_FSYNC", "on"),
                "ssl": "off", "jit": "off"}
    options = [option for k, v in settings.items() for option in ("-c", f"{k}={v}")]
    state.spawn(NAME, NAME, [*prefix, programs / "postgres", "-D", data, *options], port, env)
    wait(NAME, "answer to pg_isready", lambda: run([f"{programs}/pg_isready", "-q", "-h", HOST, "-p", str(port)], env=env) == 0)


def env() -> dict[str, str]:
    """Return POSTGRES_DSN, of a superuser, and the variables of PostgreSQL's own programs."""
    port = state.load(NAME).ports["main"]
    return {"POSTGRES_DSN": f"postgres://postgres@{HOST}:{port}/postgres?sslmode=disable", "PGHOST": HOST, "PGPORT": str(port),
            "PGUSER": "postgres", "PGDATABASE": "postgres"}

"""The real binary, embedded, for every test of a run; and a server of raw sockets for faults."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from patience import WORK, Patience, worked

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Platform:
    """A running `sluice run`."""

    http: str
    grpc: str
    pid: int


def start(data: Path, clock: str, http: str = "127.0.0.1:0") -> tuple[subprocess.Popen[str], Platform]:
    """Starts the binary, on free ports unless http names one, and returns once it is ready."""
    binary = Path(os.environ.get("SLUICE_BIN", ROOT / "bin" / "sluice"))
    assert binary.exists(), f"{binary}: not there; `make build` makes it, SLUICE_BIN names another"
    listen = [f"--listen.http={http}", "--listen.grpc=127.0.0.1:0", "--listen.kafka=127.0.0.1:0"]
    log = (data / "log").open("w")
    command = [str(binary), "run", f"-clock={clock}", f"--data={data / 'data'}", *listen]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    log.close()
    assert process.stdout
    line = process.stdout.readline()
    found = re.search(r"http ([\d.:]+), grpc ([\d.:]+),", line)
    if not found:
        process.wait()
        pytest.fail(f"the server printed {line!r}; its log: {(data / 'log').read_text()[-4000:]}")
    platform = Platform("http://" + found[1], found[2], process.pid)
    patience = Patience()
    while (missing := _missing(platform.http)) is not None:
        said, work = (data / "log").read_text(), worked(process.pid)
        assert process.poll() is None and work < WORK, said[-4000:]
        # An idle process takes some processor time as well, but no whole second in STILL.
        patience.see((missing, len(said), int(work)), f"not ready: {missing}; its log: {said[-4000:]}")
    return process, platform


def _missing(http: str) -> str | None:
    """Returns what is not ready yet, and None once all is."""
    try:
        with urlopen(http + "/ready", timeout=10):
            return None
    except HTTPError as err:  # 503
        return err.read().decode()
    except (URLError, TimeoutError, ConnectionError) as err:  # it has no time to answer
        return repr(err)


def stop(process: subprocess.Popen[str]) -> None:
    """Ends a process and waits for it."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    if process.stdout:
        process.stdout.close()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform with a manual clock for all tests; each uses views of its own."""
    process, running = start(tmp_path_factory.mktemp("platform"), "manual")
    yield running
    stop(process)

"""What the tests share: where the platform under test is, and Feast's client of it.

The Go test beside this folder starts the platform, writes rows, and runs pytest.
"""

import json
import os
import subprocess
import threading
import time

import pytest
import requests
from feast import FeatureStore, RepoConfig

HTTP = "http://" + os.environ["SLUICE_HTTP"]
GRPC = os.environ["SLUICE_GRPC"]


def remote_store(registry, http=HTTP, project="shop", **online):
    return FeatureStore(
        config=RepoConfig(
            project=project,
            provider="local",
            registry=registry,
            online_store={"type": "remote", "path": http, **online},
            entity_key_serialization_version=3,
        )
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A FeatureStore that has no registry: a file that is not there."""
    return remote_store(str(tmp_path_factory.mktemp("none") / "none.db"))


@pytest.fixture(scope="session")
def post():
    session = requests.Session()

    def call(path, body, **kwargs):
        return session.post(HTTP + path, json=body, timeout=10, **kwargs)

    return call


@pytest.fixture(scope="session")
def sluice():
    """Runs the command line against the platform."""

    def run(*args, server=HTTP, code=0):
        done = subprocess.run([os.environ["SLUICE_BIN"], *args], env={**os.environ, "SLUICE_SERVER": server}, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, f"sluice {args} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done

    return run


def eventually(check, seconds=20):
    """Calls check until it returns something true, which it returns."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while True:
        got = check()
        if got:
            return got
        assert time.monotonic() < end, f"not within {seconds} s: {check.__name__} gave {got!r}"
        pause.wait(0.05)


def feast_error(response):
    """Takes an answer apart as Feast's SDK does."""
    return json.loads(response.json())

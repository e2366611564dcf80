"""Every example of the documentation runs, against the real binary, and shows what it says."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import sluice
from conftest import ROOT, Platform, start, stop
from shop import open_model

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def check(page: Path) -> int:
    """Runs the examples of a page; returns how many there are."""
    text = "\n".join("" if line.startswith("```") else line for line in page.read_text(encoding="utf-8").split("\n"))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
    return len(test.examples)


def test_readme(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_SERVER", platform.http)
    with sluice.Client(timeout=20) as client:
        open_model(client, "payments")
    assert check(ROOT / "clients" / "python" / "README.md") > 10


def test_quick_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process, running = start(tmp_path, "wall")
    try:
        monkeypatch.setenv("SLUICE_SERVER", running.http)
        assert check(ROOT / "docs" / "quickstart-python.md") > 15
    finally:
        stop(process)

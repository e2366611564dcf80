"""The limits of the tests themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from patience import STILL, Patience, worked


def test_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on, however slowly, is waited for; what stands still is not."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    patience = Patience()
    for step in range(10):
        patience.see(step, "slow")
        now += STILL - 1
        patience.see(step, "slow")
    now += 1
    with pytest.raises(AssertionError, match="stands still"):
        patience.see(9, "stands still")


def test_worked() -> None:
    begun = worked(os.getpid())
    while Path("/proc").is_dir() and worked(os.getpid()) < begun + 0.05:
        pass
    assert worked(2**30) == 0  # no such process

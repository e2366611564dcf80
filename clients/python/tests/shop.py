"""A view of payments, and rows for it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from patience import Patience
from sluice import Client

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
GOOD = 10  # windows


def definition(view: str) -> str:
    """Returns a view of every type that reads decode."""
    return f"""
project: shop
entities: [{{name: user, type: string}}]
views:
  - name: {view}
    entities: [user]
    features:
      - {{name: amount, type: float64, expect: {{min: 0}}}}
      - {{name: visits, type: int64}}
      - {{name: country, type: string}}
      - {{name: known, type: bool}}
      - {{name: seen, type: timestamp}}
      - {{name: photo, type: bytes}}
      - {{name: last, type: list<float64>}}
      - {{name: about, type: json}}
    window: {{size: 5m, lateness: 10s}}
"""


def window(at: int, *, scale: float = 1.0, rows: int = 200) -> list[dict[str, Any]]:
    """Returns rows of window number at, the same for the same number."""
    rng = random.Random(at)
    start = BEGIN + timedelta(minutes=5 * at)
    return [
        {
            "user": f"u{i}",
            "event_time": start + timedelta(seconds=i),
            "amount": scale * rng.lognormvariate(3, 0.5),
            "visits": 2**53 + 1 if i == 7 else rng.randint(0, 9),
            "country": rng.choice(["DE", "FR", "PL"]),
            "known": i % 2 == 0 if i else None,
            "seen": start + timedelta(seconds=i),
            "photo": bytes([i]),
            "last": [float(i), 0.5],
            "about": {"tags": [f"t{i}"]},
        }
        for i in range(rows)
    ]


def open_shop(client: Client, view: str, windows: int = GOOD) -> None:
    """Defines a view and publishes windows of it."""
    client.apply(definition(view))
    rows = [row for at in range(windows) for row in window(at)]
    client.push(view, rows, seal=True, wait=True).check()
    settle(client, view)


LIMITS = """
  - name: limits
    entities: [user, card]
    features: [{name: most, type: float64}, {name: opened, type: timestamp}]
    context: {asked: float64}
    computed:
      - {name: left, type: float64, expr: "most - asked"}
      - {name: low, type: bool, expr: "left < 50.0"}
    window: {size: 5m, lateness: 10s}
services:
  - {name: fraud, features: ["VIEW:amount", "limits:most"]}
  - {name: payment, features: ["limits:left", "limits:low", "VIEW:amount"]}
  - {name: simple, features: ["VIEW:amount", "VIEW:about.tags"]}
"""


def open_model(client: Client, view: str) -> None:
    """Opens a shop, and publishes one window of the limits of cards; services read both."""
    open_shop(client, view)
    both = "entities: [{name: user, type: string}, {name: card, type: int64}]"
    text = definition(view).replace("entities: [{name: user, type: string}]", both)
    client.apply(text.rstrip() + LIMITS.replace("VIEW", view))
    rows = [
        {"user": r["user"], "card": i, "event_time": r["event_time"], "most": 100.5, "opened": r["event_time"]}
        for i, r in enumerate(window(0))
    ]
    client.push("limits", rows, seal=True, wait=True)
    settle(client, "limits", {"user": "u1", "card": 1})


def settle(client: Client, view: str, key: Any = "u1") -> None:
    """Returns once reads show what was decided: servers follow within their lease of a second."""
    patience, decided = Patience(), client.view(view).generation
    while (served := client.row(view, key).provenance.generation) < decided:
        patience.see(served, f"{view}: generation {decided} is not served")

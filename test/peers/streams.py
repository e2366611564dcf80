"""Streams of windows whose truth is known: stable ones of three regimes, and ones with a fault from the first judged window on.

A column is a family in a regime. Families: normal, lognormal, exponential, uniform, Poisson counts, zero-inflated, 1 % nulls; three, five and eight
categories, 2,000 of Zipf's law. Regimes: iid; wobble, the location moves by a normal of .03 sd from window to window, categories by a Dirichlet law of
concentration 2,000; season, a sine of period 7 and amplitude .3 sd, and the wobble. Faults lie on wobbling columns.
"""
import json
import os

import numpy as np
import pandas as pd

NUMERIC = ["normal", "lognormal", "exponential", "uniform", "poisson", "zeros", "nulls"]
CATEGORICAL = {"three": 3, "five": 5, "eight": 8, "zipf": 2000}
FAULTS = {
    "shift0.1": NUMERIC[:6], "shift0.25": NUMERIC[:6], "shift0.5": NUMERIC[:6], "var1.3": NUMERIC[:6], "x100": NUMERIC[:6], "null5": ["nulls"] * 6,
    "outl2": NUMERIC[:6], "ramp.02": NUMERIC[:6],
    "catswap": ["three", "five", "eight"] * 2, "newcat2": ["three", "five", "eight", "zipf", "zipf", "zipf"], "catrel20": ["three", "five", "eight"] * 2,
}


def numeric(rng, family, rows, at, scale):
    """Values of a family, moved by at and widened by scale, both in its own standard deviations."""
    if family in ("normal", "nulls"):
        x = at + scale * rng.normal(size=rows)
        return np.where(rng.random(rows) < 0.01, np.nan, x) if family == "nulls" else x
    if family == "lognormal":
        return np.exp(at + scale * rng.normal(size=rows))
    if family == "exponential":
        return 1 + scale * (rng.exponential(size=rows) - 1) + at
    if family == "uniform":
        return 0.5 + scale * (rng.random(rows) - 0.5) + at / 12**0.5
    if family == "poisson":  # a wider law mixes rates
        rate = max(0.1, 4 + 2 * at)
        rates = rate if scale == 1 else rng.gamma(rate / (scale**2 - 1), scale**2 - 1, rows)
        return rng.poisson(rates, rows).astype(float)
    mean = np.exp(at)  # zeros
    return np.where(rng.random(rows) < 0.7, 0, scale * mean * rng.exponential(size=rows))


def shares(family):
    n = CATEGORICAL[family]
    p = 1 / np.arange(1, n + 1) if n < 100 else 1 / np.arange(1, n + 1) ** 1.1
    return p / p.sum()


class Column:
    """One column of a stream, with its own generator of random numbers."""

    def __init__(self, name, family, regime, fault, seed):
        self.name, self.family, self.regime, self.fault = name, family, regime, fault
        self.rng = np.random.default_rng(seed)
        self.numeric = family in NUMERIC

    def window(self, rows, i, judged):
        """The values of window i, the judged-th after the baseline (negative before it)."""
        rng, fault = self.rng, self.fault if judged >= 0 else ""
        wave = 0.3 * np.sin(2 * np.pi * i / 7) if self.regime == "season" else 0.0
        return self.numbers(rng, rows, wave, judged, fault) if self.numeric else self.categories(rng, rows, wave, fault)

    def numbers(self, rng, rows, wave, judged, fault):
        at = wave + (rng.normal(0, 0.03) if self.regime != "iid" else 0)
        if fault.startswith("shift"):
            at += float(fault[5:])
        if fault == "ramp.02":
            at += 0.02 * (judged + 1)
        x = numeric(rng, self.family, rows, at, 1.3**0.5 if fault == "var1.3" else 1)
        if fault == "x100":
            x = 100 * x
        if fault == "null5":
            x[rng.random(rows) < 0.04] = np.nan
        if fault == "outl2":
            hit = rng.random(rows) < 0.02
            x[hit] = x.mean() + x.std() * rng.normal(0, 10, hit.sum())
        return x

    def categories(self, rng, rows, wave, fault):
        p = shares(self.family)
        if fault == "catswap":
            p[[0, 1]] = p[[1, 0]]
        if fault == "catrel20":
            p[0] *= 1.2
        p[::2] *= np.exp(wave)
        p /= p.sum()
        if self.regime != "iid":
            p = rng.dirichlet(2000 * p)
        x = np.char.add("v", rng.choice(len(p), rows, p=p).astype(str)).astype(object)
        if fault == "newcat2":
            x[rng.random(rows) < 0.02] = "brand new"
        return x


def columns(regimes, copies, faults, seed):
    all = []
    for regime in regimes:
        for family in NUMERIC + list(CATEGORICAL):
            all += [(f"{regime}.{family}.{k}", family, regime, "") for k in range(copies)]
    for fault, families in FAULTS.items() if faults else []:
        all += [(f"{fault}.{family}.{k}", family, "wobble", fault) for k, family in enumerate(families)]
    return [Column(*c, [seed, i]) for i, c in enumerate(all)]


def write(folder, cols, rows, baseline, judged):
    """Writes a window a file, and what they are: stream.json."""
    os.makedirs(os.path.join(folder, "windows"))
    for i in range(baseline + judged):
        frame = pd.DataFrame({c.name: c.window(rows, i, i - baseline) for c in cols})
        frame.to_parquet(os.path.join(folder, "windows", f"w{i:04d}.parquet"), index=False)
    with open(os.path.join(folder, "stream.json"), "w") as f:
        json.dump({"rows": rows, "baseline": baseline, "judged": judged, "columns": [{"name": c.name, "numeric": c.numeric, "regime": c.regime, "fault": c.fault} for c in cols]}, f)

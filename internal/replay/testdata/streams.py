"""Counts what `sluice replay` says of folders of fresh windows: false alarms of stable streams, and found faults.

Needs numpy, pandas, pyarrow and a built sluice:
    python streams.py bin/sluice alarms --seeds 10 --seed 7     # three families, fifteen features
    python streams.py bin/sluice power --seeds 4 --seed 7       # share of single windows in which a fault is found
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter

import numpy as np
import pandas as pd


def window(rng, kind, rows, i):
    """A stable window: i.i.d., with a wobble of .03 sd between windows, or with a season of seven."""
    move = lambda: rng.normal(0, 0.03) if kind == "wobble" else 0.5 * np.sin(2 * np.pi * (i % 7) / 7) if kind == "season" else 0.0
    w = move()
    cols = {f"n_normal{k}": rng.normal(0, 1, rows) + move() for k in range(4)}
    cols["n_lognormal"] = np.exp(rng.normal(0, 1, rows) + w)
    cols["n_poisson"] = rng.poisson(3 * np.exp(w), rows)
    cols["n_uniform"] = rng.uniform(0, 1, rows) + w * 0.3
    cols["n_zeros"] = np.where(rng.random(rows) < 0.7, 0, rng.exponential(1, rows) * np.exp(w))
    cols["n_t3"] = rng.standard_t(3, rows) + w
    cols["n_nulls"] = np.where(rng.random(rows) < 0.01, np.nan, rng.normal(0, 1, rows))
    p = np.array([0.4, 0.3, 0.2, 0.1]) * np.exp(rng.normal(0, 0.03, 4) if kind == "wobble" else np.array([1, -1, 0, 0]) * w)
    cols["c_four"] = rng.choice(list("abcd"), rows, p=p / p.sum())
    cols["c_2000"] = np.char.add("k", rng.integers(0, 2000, rows).astype(str))
    cols["c_zipf"] = np.char.add("z", np.minimum(rng.zipf(1.6, rows), 10**9).astype(str))
    cols["c_bool"] = rng.random(rows) < 0.9
    cols["c_geometric"] = np.char.add("g", rng.geometric(0.1, rows).astype(str))
    return pd.DataFrame(cols)


def some(rng, df, share):
    return rng.random(len(df)) < share


def outliers(rng, df):
    at = some(rng, df, 0.02)
    df.loc[at, "n_normal0"] = rng.normal(0, 10, at.sum())


def nulls(rng, df):
    df.loc[some(rng, df, 0.04), "n_nulls"] = np.nan


def category(name):
    def change(rng, df):
        df.loc[some(rng, df, 0.02), name] = "brand new"
    return change


def unseen(name):
    def change(rng, df):
        at = some(rng, df, 0.05)
        df.loc[at, name] = np.char.add("new", rng.integers(0, 10**9, at.sum()).astype(str))
    return change


def scaled(name, factor):
    def change(rng, df):
        df[name] = df[name] * factor
    return change


def moved(name, by):
    def change(rng, df):
        df[name] = df[name] + by
    return change


FAULTS = {
    "times 100": ("n_lognormal", scaled("n_lognormal", 100)), ".5 sd": ("n_normal0", moved("n_normal0", 0.5)),
    ".25 sd": ("n_normal0", moved("n_normal0", 0.25)), "variance times 1.3": ("n_normal0", scaled("n_normal0", 1.3**0.5)),
    "nulls 1 to 5 %": ("n_nulls", nulls), "2 % outliers": ("n_normal0", outliers),
    "2 % in a new category of 5": ("c_four", category("c_four")), "of 2,000": ("c_2000", category("c_2000")), "of a long tail": ("c_zipf", category("c_zipf")),
    "5 % unseen values, long tail": ("c_zipf", unseen("c_zipf")),
}


def replay(a, kind, seed, baseline, evaluated, change=None):
    rng = np.random.default_rng([a.seed, seed, len(kind)])
    folder = tempfile.mkdtemp(prefix="sluice-streams-")
    try:
        for i in range(baseline + evaluated):
            df = window(rng, kind, a.rows, i)
            if change and i >= baseline:
                change(rng, df)
            df.to_parquet(os.path.join(folder, f"w{i:04d}.parquet"), index=False)
        out = subprocess.run([a.sluice, "replay", folder, "--baseline-windows", str(baseline), "--season", "7" if kind == "season" else "0",
                              "--format", "jsonl"], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in out.stdout.splitlines()]
    finally:
        shutil.rmtree(folder)


def alarms(a):
    for kind, baseline in [("iid", a.baseline), ("wobble", a.baseline), ("season", max(70, a.baseline))]:
        count = {"numeric": Counter(), "categorical": Counter(), "window": Counter()}
        for seed in range(a.seeds):
            for line in replay(a, kind, seed, baseline, a.windows):
                c = count[{"n": "numeric", "c": "categorical"}.get(line["feature"][:1], "window")]
                c["n"] += 1
                c["slow"] += line["accumulated"]
                c["alarm"] += line["state"] in ("warn", "fail") and not line["accumulated"]
                c["fail"] += line["state"] == "fail"
        for name, c in count.items():
            if name == "window":
                print(f"{kind}: {c['alarm']} alarms of whole windows")
                continue
            print(f"{kind} {name}: {c['n']} feature-windows, {1000 * c['alarm'] / c['n']:.2f} alarms and {1000 * c['slow'] / c['n']:.2f} that add up per 1,000, {c['fail']} blocked")


def power(a):
    for name, (feature, change) in FAULTS.items():
        found = blocked = n = 0
        for seed in range(a.seeds):
            for line in replay(a, "wobble", seed, a.baseline, a.windows, change):
                if line["feature"] == feature:
                    n += 1
                    found += line["state"] in ("warn", "fail") and not line["accumulated"]
                    blocked += line["state"] == "fail"
        print(f"{name}: found in {found / n:.3f} of {n} single windows, blocked in {blocked / n:.3f}")


p = argparse.ArgumentParser()
p.add_argument("sluice")
p.add_argument("what", choices=["alarms", "power"])
for flag, value in [("--seeds", 10), ("--seed", 7), ("--rows", 1000), ("--baseline", 28), ("--windows", 100)]:
    p.add_argument(flag, type=int, default=value)
a = p.parse_args()
{"alarms": alarms, "power": power}[a.what](a)

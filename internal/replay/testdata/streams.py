"""Counts what `sluice replay` says of folders of fresh windows: false alarms of stable streams, and found faults.

Needs numpy, pandas, pyarrow and a built sluice:
    python streams.py bin/sluice alarms --seeds 10 --seed 7     # three families, fifteen features
    python streams.py bin/sluice power --seeds 4 --seed 7       # share of single windows in which a fault is found
    python streams.py bin/sluice odd --seeds 10 --seed 7        # forty stable streams of laws that nobody would choose
    python streams.py bin/sluice factors --seeds 10 --seed 7    # numbers of which every window's level differs
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


def zipf(k, power):
    shares = 1 / np.arange(1.0, k + 1) ** power
    return shares / shares.sum()


def odd(rng, rows, i, wobbles):
    """A stable window of odd laws; a few columns have a season of seven, or a level or spread of each window."""
    week, w = np.sin(2 * np.pi * i / 7), wobbles[i]
    normal = lambda: rng.normal(0, 1, rows)
    nulls = lambda x, share: np.where(rng.random(rows) < share, np.nan, x)
    text = lambda k, p: np.char.add("v", rng.choice(k, rows, p=p).astype(str))
    shares = np.exp(np.array([0, -0.5, -1, -2]) + 0.1 * w[4:8])
    tail = np.char.add("x", np.minimum(rng.pareto(0.8, rows), 1e15).astype(np.int64).astype(str))
    return pd.DataFrame({
        "n_normal": normal(), "n_lognormal": rng.lognormal(0, 1, rows), "n_lognormal_wide": rng.lognormal(3, 2.5, rows), "n_pareto": rng.pareto(1.1, rows),
        "n_t2": rng.standard_t(2, rows), "n_cauchy": rng.standard_cauchy(rows), "n_uniform": rng.random(rows), "n_beta": rng.beta(0.2, 0.2, rows),
        "n_clusters": rng.choice([0, 10, 100], rows, p=[0.5, 0.3, 0.2]) + rng.normal(0, 0.1, rows),
        "n_zeros": np.where(rng.random(rows) < 0.9, 0, rng.exponential(5, rows)), "n_poisson_rare": rng.poisson(0.05, rows),
        "n_poisson": rng.poisson(3, rows), "n_poisson_many": rng.poisson(500, rows), "n_cents": np.round(rng.lognormal(2, 1, rows), 2),
        "n_prices": np.floor(rng.lognormal(2, 1, rows)) + 0.99, "n_bits": rng.integers(0, 2, rows), "n_rare": (rng.random(rows) < 0.002).astype(int),
        "n_far": rng.normal(1e12, 1, rows), "n_tiny": rng.normal(0, 1e-12, rows), "n_level": rng.normal(w[0] * 0.3, 1, rows),
        "n_spread": normal() * np.exp(w[1] * 0.1), "n_level_heavy": rng.lognormal(w[2] * 0.2, 1.5, rows), "n_season": rng.normal(week, 1, rows),
        "n_season_mixture": np.where(rng.random(rows) < 0.5 + 0.3 * week, rng.normal(5, 1, rows), normal()),
        "n_weekend": rng.exponential(1 + 2 * (i % 7 >= 5), rows), "n_nulls": nulls(normal(), 0.3), "n_nulls_rare": nulls(rng.exponential(1, rows), 0.002),
        "n_nulls_level": nulls(normal(), 1 / (1 + np.exp(2 - 0.4 * w[3]))), "n_walk": np.cumsum(normal()) / rows**0.5 * 0.1 + normal(),
        "n_outliers": np.where(rng.random(rows) < 0.01, rng.normal(0, 50, rows), normal()), "n_ids": rng.integers(0, 10**9, rows),
        "c_5": text(5, zipf(5, 1)), "c_50": text(50, zipf(50, 1)), "c_1000": text(1000, zipf(1000, 1.1)), "c_200": text(200, zipf(200, 0)),
        "c_unique": rng.integers(0, 2**62, rows).astype(str), "c_tail": tail, "c_level": text(4, shares / shares.sum()),
        "c_season": text(3, [0.5 + 0.2 * week, 0.3 - 0.2 * week, 0.2]), "c_nulls": pd.Series(text(10, zipf(10, 1))).mask(rng.random(rows) < 0.1),
        "c_constant": np.full(rows, "a"), "c_rare": np.where(rng.random(rows) < 0.001, "x", "y"), "c_even": rng.random(rows) < 0.5, "c_bool_rare": rng.random(rows) < 0.01,
    })


LEVELS = [0.05, 0.1, 0.15, 0.2, 0.3]  # sd of windows' levels, in sd of rows


def factors(rng, rows, i, wobbles):
    """A stable window of normal values, and of lognormal ones, whose levels differ between windows by so much."""
    cols = {}
    for k, level in enumerate(LEVELS):
        cols[f"n_normal_{level}"] = rng.normal(level * wobbles[i][k], 1, rows)
        cols[f"n_amount_{level}"] = np.exp(1.5 * rng.normal(level * wobbles[i][5 + k], 1, rows))
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
    wobbles = rng.normal(0, 1, (baseline + evaluated, 10))
    folder = tempfile.mkdtemp(prefix="sluice-streams-")
    try:
        for i in range(baseline + evaluated):
            df = KINDS[kind](rng, a.rows, i, wobbles) if kind in KINDS else window(rng, kind, a.rows, i)
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


def by_feature(a):
    count, blocked = {}, []
    for seed in range(a.seeds):
        for line in replay(a, a.what, seed, a.baseline, a.windows):
            c = count.setdefault(line["feature"] or "whole windows", Counter())
            c["n"] += 1
            c["slow"] += line["accumulated"]
            c["alarm"] += line["state"] in ("warn", "fail") and not line["accumulated"]
            if line["state"] == "fail":
                c["fail"] += 1
                blocked.append(f"{seed} {line['window']}: {line['text']}")
    for name, c in count.items():
        if c["alarm"] or c["slow"]:
            print(f"{name}: {c['n']} windows, {c['alarm']} alarms and {c['slow']} that add up, {c['fail']} blocked")
    t = sum((c for name, c in count.items() if name != "whole windows"), Counter())
    print(f"all of {len(count) - ('whole windows' in count)}: {t['n']} feature-windows, {1000 * t['alarm'] / t['n']:.2f} alarms and {1000 * t['slow'] / t['n']:.2f} that add up per 1,000, {t['fail']} blocked")
    print("\n".join(blocked))


KINDS = {"odd": odd, "factors": factors}


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
p.add_argument("what", choices=["alarms", "power", "odd", "factors"])
for flag, value in [("--seeds", 10), ("--seed", 7), ("--rows", 1000), ("--baseline", 28), ("--windows", 100)]:
    p.add_argument(flag, type=int, default=value)
a = p.parse_args()
{"alarms": alarms, "power": power, "odd": by_feature, "factors": by_feature}[a.what](a)

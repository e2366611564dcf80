"""Compares files that nobody hopes for, by `sluice compare` and by SciPy, field by field to 1e-9.

Needs numpy, scipy, pyarrow and a built sluice:
    python nasty.py bin/sluice --files 300 --seed 1        # prints every difference, and exits with 1 if there is one
The oracle is written from the definitions in `sluice compare --help` and the contract, not from the Go code. What overflows in NumPy is held against exact
arithmetic instead. With --keep FOLDER the files are kept.
"""
import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import warnings
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import spatial, stats

warnings.filterwarnings("ignore")
QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
SIZES = [1, 1, 2, 3, 5, 10, 31, 80, 99, 100, 101, 125, 200, 333, 700, 1500]
WORDS = ["a", "b", "", " ", "null", "NaN ", "naïve", "naive", "nai\u0308ve", "日本", "😀", "x,y", 'say "so"', "two\nlines", "-", "0x1f", "1.5kg", "TRUE ", "\u200b", "\\", "é" * 50]


# ---- files

def numbers(rng, n):
    """Values of one column, as float64, None for null."""
    kind = rng.integers(16)
    x = {
        0: lambda: rng.normal(0, 1, n), 1: lambda: rng.integers(0, 3, n).astype(float), 2: lambda: np.full(n, 7.25), 3: lambda: rng.normal(0, 1, n) * 1e308,
        4: lambda: rng.integers(1, 50, n) * 5e-324, 5: lambda: np.where(rng.random(n) < 0.7, 0, rng.exponential(1, n)), 6: lambda: 1e15 + rng.normal(0, 1, n),
        7: lambda: rng.choice([-np.inf, np.inf, 0, 1.5], n), 8: lambda: np.full(n, np.inf), 9: lambda: rng.lognormal(0, 8, n), 10: lambda: np.round(rng.normal(0, 1, n), 1),
        11: lambda: rng.choice([0.0, -0.0, 1e-320, -1e-320], n), 12: lambda: rng.integers(2**53, 2**62, n).astype(float), 13: lambda: np.arange(n) * 0.1,
        14: lambda: rng.choice([1.7e308, -1.7e308, 0], n), 15: lambda: rng.standard_cauchy(n),
    }[int(kind)]()
    x = [float(v) for v in x]
    share = rng.choice([0, 0, 0.05, 0.5, 1], p=[0.4, 0.2, 0.2, 0.15, 0.05])
    return [None if rng.random() < share else v for v in x]


def texts(rng, n):
    kind = rng.integers(5)
    if kind == 0:
        x = [bool(v) for v in rng.random(n) < rng.random()]
    elif kind == 1:
        x = [f"k{v}" for v in rng.integers(0, 2000, n)]
    elif kind == 2:
        x = ["same"] * n
    else:
        words = list(rng.choice(WORDS, rng.integers(1, len(WORDS)), replace=False))
        x = [str(v) for v in rng.choice(words, n)]
    share = rng.choice([0, 0.1, 0.6, 1], p=[0.5, 0.25, 0.2, 0.05])
    return [None if rng.random() < share else v for v in x]


def columns(rng, n):
    """Two columns of numbers, two of texts, one that may be of truths."""
    return {"n1": numbers(rng, n), "n2": numbers(rng, n), "t1": texts(rng, n), "t2": texts(rng, n)}


def spell(v):
    return "" if v is None else str(v).lower() if isinstance(v, bool) else repr(v) if isinstance(v, float) else v


def write(path, table):
    names, rows = list(table), list(zip(*table.values()))
    if path.endswith(".csv"):
        with open(path, "w", newline="", encoding="utf-8") as f:
            w = csv.writer(f, lineterminator="\n")
            w.writerow(names + ["row"])  # so that no line is empty
            w.writerows([*map(spell, r), "r"] for r in rows)
    elif path.endswith(".jsonl"):
        special = lambda v: v if not isinstance(v, float) or math.isfinite(v) else "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"
        with open(path, "w", encoding="utf-8") as f:
            for r in rows:
                f.write(json.dumps({k: special(v) for k, v in zip(names, r)}, ensure_ascii=bool(len(rows) % 2)) + "\n")
    else:
        kind = lambda x: pa.float64() if any(isinstance(v, float) for v in x) else pa.bool_() if any(isinstance(v, bool) for v in x) else pa.string()
        pq.write_table(pa.table({k: pa.array(x, kind(x)) for k, x in table.items()}), path, row_group_size=64)


def as_read(table, ending):
    """What a file of that ending can tell apart: in CSV an empty text is null and every value a text that may look like a number."""
    if ending != ".csv":
        return table
    return {k: [None if v == "" else v for v in x] for k, x in table.items()}


# ---- oracle

def shares(counts):
    counts = np.array(counts, dtype=float)
    return counts / counts.sum()


def distances(b, c):
    p, q = shares(b), shares(c)
    pf, qf = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return {"psi": ((qf - pf) * np.log(qf / pf)).sum(), "tvd": np.abs(p - q).sum() / 2, "js": spatial.distance.jensenshannon(p, q, base=2), "entropy": stats.entropy(q)}


def exact_mean(x):
    return float(sum(map(Fraction, x)) / len(x))


def exact_std(x):
    mean = sum(map(Fraction, x)) / len(x)
    v = sum((Fraction(a) - mean) ** 2 for a in x) / (len(x) - 1)
    try:
        return math.sqrt(v)
    except OverflowError:
        return math.inf


def exact_wasserstein(b, c):
    at = sorted(set(b) | set(c))
    b, c, total = np.sort(b), np.sort(c), Fraction(0)
    for x, y in zip(at, at[1:]):
        d = Fraction(int(np.searchsorted(b, x, "right")), len(b)) - Fraction(int(np.searchsorted(c, x, "right")), len(c))
        total += abs(d) * (Fraction(y) - Fraction(x))
    try:
        return float(total)
    except OverflowError:
        return math.inf


def exact_quantile(x, q):
    x = np.sort(x)
    at = q * (len(x) - 1)
    i = min(int(at), len(x) - 1)
    j = min(i + 1, len(x) - 1)
    return float(Fraction(x[i]) + (Fraction(x[j]) - Fraction(x[i])) * Fraction(at - i))


def numeric(b, c):
    clean = lambda x: np.array([v for v in x if v is not None and not math.isnan(v)], dtype=float)
    want = {"kind": "numeric"}
    rows = len(b), len(c)
    b, c = clean(b), clean(c)
    want |= {"n_baseline": len(b), "n_current": len(c), "nulls_baseline": rows[0] - len(b), "nulls_current": rows[1] - len(c)}
    fb, fc = b[np.isfinite(b)], c[np.isfinite(c)]
    want["mean"] = [exact_mean(fc), float(fc.mean())] if len(fc) else None
    want["std"] = [exact_std(fc), float(fc.std(ddof=1))] if len(fc) > 1 else None
    want["min"], want["max"] = (float(fc.min()), float(fc.max())) if len(fc) else (None, None)
    want["quantiles"] = {str(q): [exact_quantile(fc, q), float(np.quantile(fc, q))] if len(fc) else None for q in QUANTILES}
    want["wasserstein"] = [exact_wasserstein(fb, fc), float(stats.wasserstein_distance(fb, fc))] if len(fb) and len(fc) else None
    if not len(b) or not len(c):
        return want | {"ks": {"statistic": None, "p_value": None, "p_value_exact": None}, "psi": None, "tvd": None, "js": None, "entropy": None}
    asymptotic = stats.ks_2samp(b, c, method="asymp")
    exact = stats.ks_2samp(b, c, method="exact").pvalue if len(b) * len(c) <= 10_000 else None
    edges = np.unique(np.quantile(fb, np.arange(1, 10) / 10)) if len(fb) else np.array([])
    if not np.isfinite(edges).all():  # NumPy's own interpolation overflowed
        edges = np.unique([exact_quantile(fb, i / 10) for i in range(1, 10)])
    count = lambda x: np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1)
    return want | distances(count(b), count(c)) | {"ks": {"statistic": asymptotic.statistic, "p_value": asymptotic.pvalue, "p_value_exact": exact}}


def categorical(b, c):
    key = lambda v: (v is None, str(v).lower() if isinstance(v, bool) else "" if v is None else v)
    b, c = list(map(key, b)), list(map(key, c))
    names = sorted(set(b) | set(c))
    cb, cc = [b.count(n) for n in names], [c.count(n) for n in names]
    chi = stats.chi2_contingency([cb, cc], correction=False)
    unseen = sum(n for n, x in zip(cc, cb) if x == 0)
    fit = None if unseen else stats.chisquare(cc, shares(cb) * len(c))
    if len(names) == 1:
        fit = False  # SciPy has 0 and no p-value: either will do
    return distances(cb, cc) | {
        "kind": "categorical", "n_baseline": len(b), "n_current": len(c), "nulls_baseline": b.count((True, "")), "nulls_current": c.count((True, "")),
        "chi_square": {"statistic": chi.statistic, "p_value": chi.pvalue, "dof": chi.dof}, "unseen_share": unseen / len(c),
        **({} if fit is False else {"goodness_of_fit": {"statistic": fit and fit.statistic, "p_value": fit and fit.pvalue}}),
        "ks": {"statistic": None, "p_value": None, "p_value_exact": None}, "wasserstein": None, "mean": None, "std": None,
    }


def differences(where, got, want):
    if isinstance(want, dict):
        if not isinstance(got, dict):
            yield f"{where}: {got}, want an object"
            return
        for k, v in want.items():
            if k not in got:
                yield f"{where} {k} is missing"
            else:
                yield from differences(where + " " + k, got[k], v)
    elif isinstance(want, list):  # any of them will do
        if all(list(differences(where, got, w)) for w in want):
            yield f"{where}: {got}, want {want[0]!r} (NumPy has {want[1]!r})"
    elif isinstance(want, str) or want is None:
        if got != want:
            yield f"{where}: {got}, want {want}"
    elif not math.isfinite(want):
        if got is not None:
            yield f"{where}: {got}, want null for {want}"
    elif got is None or not abs(got - want) <= 1e-9 * max(1, abs(want)):
        yield f"{where}: {got}, want {float(want)!r}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("sluice")
    p.add_argument("--files", type=int, default=300)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--keep")
    a = p.parse_args()
    found = fields = 0
    with tempfile.TemporaryDirectory(prefix="sluice-nasty-") as folder:
        for i in range(a.files):
            rng = np.random.default_rng([a.seed, i])
            n, m = int(rng.choice(SIZES)), int(rng.choice(SIZES))
            b = columns(rng, n)
            c = columns(rng, m) if rng.random() < 0.5 else {k: [x[int(j)] for j in rng.integers(0, n, m)] for k, x in b.items()}
            paths = [os.path.join(a.keep or folder, f"{i:04d}_{side}{rng.choice(['.csv', '.jsonl', '.parquet'])}") for side in "bc"]
            for path, table in zip(paths, (b, c)):
                write(path, table)
            got = subprocess.run([a.sluice, "compare", *paths, "--format", "json"], capture_output=True, text=True)
            if got.returncode:
                print(f"file {i} ({n} and {m} rows, {', '.join(os.path.basename(x) for x in paths)}): {got.stderr.strip()}")
                found += 1
                continue
            by = {x["column"]: x for x in json.loads(got.stdout)["columns"]}
            b, c = (as_read(t, os.path.splitext(x)[1]) for t, x in zip((b, c), paths))
            for k in b:
                empty = [all(v is None for v in x[k]) for x in (b, c)]
                of = [any(isinstance(v, str) or isinstance(v, bool) for v in x[k]) for x in (b, c)]
                if k not in by:
                    print(f"file {i} {k}: not compared")
                    found += 1
                    continue
                want = (categorical if any(of) else numeric)(b[k], c[k])
                if all(empty):
                    want = {"n_current": by[k]["n_current"]}  # neither numbers nor texts
                fields += 1
                for d in differences(f"file {i} ({n} and {m} rows) {k}", by[k], want):
                    print(d)
                    found += 1
    print(f"{fields} columns of {a.files} pairs of files compared, {found} differences")
    sys.exit(found > 0)


main()

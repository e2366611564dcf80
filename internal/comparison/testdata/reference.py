"""Writes baseline.csv, current.csv and what SciPy says of them, reference.json, beside this file.

Needs numpy and scipy (made with scipy 1.17.1, numpy 2.4.6):  python reference.py
"""
import csv
import json
import os

import numpy as np
from scipy import spatial, stats

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(5)
QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]


def some(values, share):
    return [None if rng.random() < share else v for v in values]


def table(n, shift, names, weights):
    return {
        "amount": some(rng.lognormal(2 + shift, 1, n).tolist(), 0.03),
        "wild": [float("inf") if i % 97 == 3 else float("-inf") if i % 89 == 5 else float("nan") if i % 31 == 7 else v
                 for i, v in enumerate(rng.normal(shift, 1, n).tolist())],
        "items": [int(v) for v in rng.poisson(3 + 3 * shift, n)],
        "zeros": np.where(rng.random(n) < 0.7, 0.0, rng.exponential(1 + shift, n)).tolist(),
        "country": some(rng.choice(names, n, p=weights).tolist(), 0.05),
        "paid": [str(v).lower() for v in rng.random(n) < 0.6 + shift],
        "same": ["x"] * n,
        "constant": [7] * n,
        "new": rng.choice(["a", "b", "c"][:2 + (shift > 0)], n).tolist(),
    }


def write(name, t):
    with open(os.path.join(here, name), "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(t)
        for row in zip(*t.values()):
            w.writerow(["" if v is None else v for v in row])


def nan(x):
    return None if x is None or not np.isfinite(x) else float(x)


def shares(counts):
    counts = np.array(counts, dtype=float)
    return counts / counts.sum()


def distances(b, c):
    p, q = shares(b), shares(c)
    pf, qf = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return {"psi": float(((qf - pf) * np.log(qf / pf)).sum()), "tvd": float(np.abs(p - q).sum() / 2),
            "js": float(spatial.distance.jensenshannon(p, q, base=2)), "entropy": float(stats.entropy(q))}


def numeric(b, c):
    clean = lambda x: np.array([v for v in x if v is not None and not np.isnan(v)], dtype=float)
    nb, nc = sum(v is None or np.isnan(v) for v in b), sum(v is None or np.isnan(v) for v in c)
    b, c = clean(b), clean(c)
    fb, fc = b[np.isfinite(b)], c[np.isfinite(c)]
    edges = np.unique(np.quantile(fb, np.arange(1, 10) / 10))
    count = lambda x: np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1)
    ks = stats.ks_2samp(b, c, method="asymp")
    exact = stats.ks_2samp(b, c, method="exact").pvalue if len(b) * len(c) <= 10_000 else None
    return {"kind": "numeric", "n_baseline": len(b), "n_current": len(c), "nulls_baseline": int(nb), "nulls_current": int(nc),
            "ks": {"statistic": float(ks.statistic), "p_value": float(ks.pvalue), "p_value_exact": nan(exact)},
            **distances(count(b), count(c)), "wasserstein": float(stats.wasserstein_distance(fb, fc)),
            "quantiles": {repr(q): float(np.quantile(fc, q)) for q in QUANTILES},
            "mean": float(fc.mean()), "std": nan(fc.std(ddof=1)), "min": float(fc.min()), "max": float(fc.max())}


def categorical(b, c):
    names = sorted(set(b) | set(c), key=str)
    cb, cc = [b.count(x) for x in names], [c.count(x) for x in names]
    chi = stats.chi2_contingency([cb, cc], correction=False)
    unseen = sum(n for x, n in zip(names, cc) if x not in b)
    fit = None if unseen or len(names) < 2 else stats.chisquare(cc, shares(cb) * sum(cc))
    return {"kind": "categorical", "n_baseline": len(b), "n_current": len(c), "nulls_baseline": b.count(None), "nulls_current": c.count(None),
            **distances(cb, cc), "chi_square": {"statistic": float(chi.statistic), "p_value": float(chi.pvalue), "dof": int(chi.dof)},
            "goodness_of_fit": {"statistic": nan(fit and fit.statistic), "p_value": nan(fit and fit.pvalue)}, "unseen_share": unseen / len(c)}


cases = {}
for name, n, m, shift in [("", 700, 400, 0.15), ("small_", 90, 60, 0.0)]:
    b = table(n, 0.0, ["NL", "DE", "FR", "ES"], [0.5, 0.3, 0.15, 0.05])
    c = table(m, shift, ["NL", "DE", "FR", "ES"], [0.4, 0.3, 0.2, 0.1])
    write(name + "baseline.csv", b)
    write(name + "current.csv", c)
    cases[name] = {k: (categorical if isinstance(next(v for v in b[k] if v is not None), str) else numeric)(b[k], c[k]) for k in b}
with open(os.path.join(here, "reference.json"), "w") as f:
    json.dump(cases, f, indent=1)
    f.write("\n")

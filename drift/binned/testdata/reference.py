"""Reference values of the statistics, written to reference.json beside this file.

Needs numpy and scipy (made with scipy 1.17.1, numpy 2.4.6):  python reference.py
"""
import json
import os

import numpy as np
from scipy import spatial, stats

rng = np.random.default_rng(7)
CASES = {
    "same shares": ([50, 50], [100, 100]),
    "half the mass moves": ([50, 50], [90, 10]),
    "empty bin": ([50, 50], [100, 0]),
    "disjoint": ([10, 0, 0], [0, 0, 7]),
    "empty on both sides": ([5, 0, 9, 1], [3, 0, 2, 8]),
    "one observation": ([1, 0], [1, 0]),
    "64 bins": (rng.multinomial(28000, rng.dirichlet(np.full(64, 5))).tolist(),
                rng.multinomial(1000, rng.dirichlet(np.full(64, 5))).tolist()),
    "1,000,000 rows": (rng.multinomial(10**7, np.full(40, 1 / 40)).tolist(),
                       rng.multinomial(10**6, np.full(40, 1 / 40)).tolist()),
}


def psi(b, c):
    b, c = np.maximum(b, 1e-4), np.maximum(c, 1e-4)
    return float(((c - b) * np.log(c / b)).sum())


def case(b, c):
    b, c = np.array(b), np.array(c)
    p, q, x = b / b.sum(), c / c.sum(), np.arange(len(b), dtype=float)
    table = np.array([b, c])[:, (b + c) > 0]
    if table.shape[1] > 1:
        chi = stats.chi2_contingency(table, correction=False)
        chi = [float(chi.statistic), float(chi.pvalue), int(chi.dof)]
    else:
        chi = [0.0, 1.0, 0]
    return {
        "baseline": b.tolist(), "current": c.tolist(),
        "ks": float(np.abs(np.cumsum(q) - np.cumsum(p)).max()),
        "psi": psi(p, q), "tvd": float(np.abs(p - q).sum() / 2),
        "js": float(spatial.distance.jensenshannon(p, q, base=2)),
        "hellinger": float(np.sqrt(max(0.0, 1 - np.sqrt(p * q).sum()))),
        "wasserstein": float(stats.wasserstein_distance(x, x, b, c)),
        "entropy": float(stats.entropy(q, base=2)), "chi_square": chi,
    }


LAW = [(0.05, 10, 12), (0.3, 10, 12), (0.9, 10, 12), (0.62, 30, 9), (0.1, 100, 120), (0.2, 100, 120),
       (0.02, 1000, 28000), (0.05, 1000, 28000), (0.09, 1000, 28000), (0.001, 5000, 5000), (0.03, 5000, 5000),
       (0.004, 100000, 90000), (0.0075, 100000, 90000), (0.0015, 10**6, 10**6), (0.15, 300, 250), (0.13, 200, 400),
       (0.01, 30, 30), (0.07, 30, 30), (1.0, 5, 5), (0.5, 4, 4)]
RAW = [(rng.normal(size=4000), rng.normal(0.1, 1, size=500)), (rng.poisson(4, 3000), rng.poisson(5, 700))]


def raw(a, b):
    edges = np.unique(np.quantile(a, np.arange(1, 32) / 32))
    count = lambda x: np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1).tolist()
    return {"baseline": count(a), "current": count(b), "exact": float(stats.ks_2samp(a, b, method="asymp").statistic)}


out = {
    "statistics": {name: case(*c) for name, c in CASES.items()},
    "ks_p": [{"d": d, "n": n, "m": m, "p": float(stats.kstwo.sf(d, np.round(n * m / (n + m))))} for d, n, m in LAW],
    "ks_raw": [raw(a, b) for a, b in RAW],
    "student": [{"t": t, "df": df, "p": float(stats.t.sf(t, df))} for t in (0, 1, 4, 9, 40) for df in (1, 7, 27, 2015)],
    "f": [{"f": f, "d1": a, "d2": b, "p": float(stats.f.sf(f, a, b))} for f in (0.5, 1, 6, 60) for a, b in ((6, 21), (23, 1992))],
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json"), "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")

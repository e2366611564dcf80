"""Reference values of the exact statistics, written to reference.json beside this file.

Needs numpy and scipy (made with scipy 1.17.1, numpy 2.4.6):  python reference.py
"""
import json
import os

import numpy as np
from scipy import stats

rng = np.random.default_rng(11)
CASES = {
    "normal, shifted": (rng.normal(size=1500), rng.normal(0.1, 1, size=700)),
    "the same values": (np.arange(50.0), np.arange(50.0)),
    "few of each": (rng.normal(size=7), rng.normal(size=9)),
    "one of each": (np.array([1.0]), np.array([2.0])),
    "one against many": (rng.normal(size=900), np.array([0.3])),
    "counts, with ties": (rng.poisson(3, 400).astype(float), rng.poisson(4, 150).astype(float)),
    "a tenth of the product": (rng.normal(size=100), rng.normal(0.3, 1, size=100)),
    "apart": (rng.normal(size=60), rng.normal(50, 1, size=80)),
    "infinities": (np.concatenate([rng.normal(size=200), [np.inf, -np.inf, np.inf]]),
                   np.concatenate([rng.normal(size=90), [-np.inf]])),
    "constant": (np.full(40, 3.0), np.full(30, 3.0)),
    "atom": (np.concatenate([np.zeros(600), rng.exponential(size=400)]), np.concatenate([np.zeros(90), rng.exponential(2, size=110)])),
    "huge and tiny": (rng.normal(size=120) * 1e150, rng.normal(size=80) * 1e-300),
    "lognormal": (rng.lognormal(0, 3, 1200), rng.lognormal(0.2, 3, 900)),
}
QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]


def case(a, b):
    fa, fb = a[np.isfinite(a)], b[np.isfinite(b)]
    edges = np.unique(np.quantile(fa, np.arange(1, 10) / 10))
    count = lambda x: np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1).tolist()
    exact = stats.ks_2samp(a, b, method="exact").pvalue if len(a) * len(b) <= 10_000 else None
    text = lambda x: [repr(float(v)) for v in x]
    return {
        "a": text(a), "b": text(b), "ks": float(stats.ks_2samp(a, b, method="asymp").statistic),
        "ks_p": float(stats.ks_2samp(a, b, method="asymp").pvalue) if len(a) * len(b) > 1 else None, "ks_exact": exact,
        "wasserstein": float(stats.wasserstein_distance(fa, fb)), "mean": float(fb.mean()),
        "sd": float(fb.std(ddof=1)) if len(fb) > 1 else None, "quantiles": np.quantile(fb, QUANTILES).tolist(),
        "edges": edges.tolist(), "counts_a": count(a), "counts_b": count(b),
    }


# The law of the distance, over all regions of SciPy's own approximations.
LAW = [[float(d), int(n), float(stats.kstwo.sf(d, n))]
       for n in [1, 2, 5, 20, 80, 139, 140, 141, 200, 700, 3000, 20000, 99999, 100001, 400000, 3000000]
       for d in (np.array([0.3, 0.5, 0.7, 0.868, 0.9, 1.0, 1.2, 1.36, 1.48, 1.49, 1.7, 1.95, 2.05, 2.5, 3.5, 6]) / np.sqrt(n)).tolist() + [0.5, 0.9]
       if 0 < d < 1]

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json"), "w") as f:
    json.dump({"cases": {k: case(*v) for k, v in CASES.items()}, "law": LAW}, f, indent=None, separators=(",", ":"))
    f.write("\n")

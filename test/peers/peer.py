"""What every peer's script shares: python peer_NAME.py FOLDER OUT WINDOWS reads a stream and writes a line a judged window and column.

A line has window (0 is the first judged), feature, rule, alarm (at the tool's default) and score, larger for a larger shift.
"""
import json
import os
import sys
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


class Stream:
    def __init__(self, folder):
        with open(os.path.join(folder, "stream.json")) as f:
            about = json.load(f)
        self.folder, self.baseline, self.judged, self.rows = folder, about["baseline"], about["judged"], about["rows"]
        self.numeric = [c["name"] for c in about["columns"] if c["numeric"]]
        self.categorical = [c["name"] for c in about["columns"] if not c["numeric"]]
        self.stable = [c["name"] for c in about["columns"] if not c["fault"]]

    def frame(self, i):
        return pd.read_parquet(os.path.join(self.folder, "windows", f"w{i:04d}.parquet"))

    def reference(self):
        return pd.concat([self.frame(i) for i in range(self.baseline)], ignore_index=True)

    def current(self, k):
        return self.frame(self.baseline + k)


def surprise(p):
    """A p-value as a score; 0 is as small as a float64 can be."""
    return float(-np.log(max(float(p), 1e-300)))


def main(judge, version):
    """judge(stream, windows) yields (window, feature, rule, alarm, score)."""
    stream, out, windows = Stream(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with open(out, "w") as f:
        f.write(json.dumps({"version": version}) + "\n")
        for window, feature, rule, alarm, score in judge(stream, min(windows, stream.judged)):
            if np.isfinite(score):
                f.write(json.dumps({"window": window, "feature": feature, "rule": rule, "alarm": bool(alarm), "score": float(score)}) + "\n")
                f.flush()

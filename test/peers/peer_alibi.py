"""alibi-detect: KS for numbers, chi-square for categories, each against the whole baseline; nulls are dropped column by column, as it takes none."""
from importlib.metadata import version

import numpy as np
from alibi_detect.cd import ChiSquareDrift, KSDrift

from peer import main, surprise


def judge(stream, windows):
    reference, columns = stream.reference(), stream.numeric + stream.categorical
    tests = {c: KSDrift(reference[c].dropna().to_numpy().reshape(-1, 1), p_val=0.05) for c in stream.numeric}
    for k in range(windows):
        now, found = stream.current(k), {}
        for c in stream.numeric:
            found[c] = tests[c].predict(now[c].dropna().to_numpy().reshape(-1, 1))["data"]["p_val"][0]
        for c in stream.categorical:
            names = {v: i for i, v in enumerate(sorted(set(reference[c]) | set(now[c])))}
            code = lambda x: x.map(names).to_numpy().reshape(-1, 1)
            test = ChiSquareDrift(code(reference[c]), p_val=0.05, categories_per_feature={0: list(range(len(names)))})
            found[c] = test.predict(code(now[c]))["data"]["p_val"][0]
        for c in columns:
            p = float(found[c])
            yield k, c, "alibi-detect, each column", p < 0.05, surprise(p)
            yield k, c, "alibi-detect, Bonferroni", p < 0.05 / len(columns), surprise(p)


main(judge, "alibi-detect " + version("alibi-detect"))

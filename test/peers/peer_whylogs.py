"""whylogs: the drift score of each column between the profile of the baseline and that of the window."""
from importlib.metadata import version

import whylogs as why
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

from peer import main, surprise


def judge(stream, windows):
    reference = why.log(stream.reference()).view()
    for k in range(windows):
        scores = calculate_drift_scores(target_view=why.log(stream.current(k)).view(), reference_view=reference, with_thresholds=True)
        for c, score in scores.items():
            if score and score.get("pvalue") is not None:
                yield k, c, "whylogs", score["pvalue"] < 0.05, surprise(score["pvalue"])


main(judge, "whylogs " + version("whylogs"))

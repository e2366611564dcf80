"""Evidently: DataDriftPreset as it comes. Up to 1,000 rows of reference it tests, above it measures distances: both, on rows drawn from the baseline."""
from importlib.metadata import version

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from peer import main, surprise

REFERENCES = {"Evidently, 1,000 rows of reference": 1000, "Evidently, 5,000 rows of reference": 5000}


def judge(stream, windows):
    whole = stream.reference()
    define = DataDefinition(numerical_columns=stream.numeric, categorical_columns=stream.categorical)
    for k in range(windows):
        now = Dataset.from_pandas(stream.current(k), data_definition=define)
        for rule, rows in REFERENCES.items():
            reference = Dataset.from_pandas(whole.sample(rows, random_state=1).reset_index(drop=True), data_definition=define)
            for m in Report([DataDriftPreset()]).run(now, reference).dict()["metrics"]:
                config = m["config"]
                if "column" not in config:  # the count of all
                    continue
                value = float(m["value"])
                if "p_value" in config["method"]:
                    yield k, config["column"], rule, value < config["threshold"], surprise(value)
                else:
                    yield k, config["column"], rule, value >= config["threshold"], value


main(judge, "evidently " + version("evidently"))

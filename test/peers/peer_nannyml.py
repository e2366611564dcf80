"""NannyML: drift of each column by its defaults, and its calculator of missing values."""
import nannyml as nml
import pandas as pd

from peer import main


def lines(frame, columns, key, rule, windows):
    for c in columns:
        values = frame[c][key] if key else frame[c]
        for k in range(windows):
            value, upper = values["value"].iloc[k], values["upper_threshold"].iloc[k]
            yield k, c, rule, values["alert"].iloc[k], value
            yield k, c, rule + ", over its own threshold", values["alert"].iloc[k], value / max(upper, 1e-9)


def judge(stream, windows):
    reference = stream.reference()
    now = pd.concat([stream.current(k) for k in range(windows)], ignore_index=True)
    drift = nml.UnivariateDriftCalculator(column_names=stream.numeric + stream.categorical, treat_as_categorical=stream.categorical, chunk_size=stream.rows)
    drift.fit(reference)
    frame = drift.calculate(now).filter(period="analysis").to_df()
    yield from lines(frame, stream.numeric + stream.categorical, "jensen_shannon", "NannyML drift", windows)
    nulls = [c for c in stream.numeric if reference[c].isna().any()]
    missing = nml.MissingValuesCalculator(column_names=nulls, chunk_size=stream.rows)
    missing.fit(reference)
    yield from lines(missing.calculate(now).filter(period="analysis").to_df(), nulls, None, "NannyML missing values", windows)


main(judge, "nannyml " + nml.__version__)

"""Writes suite_0.json or suite_1.json, expectation suites as great_expectations itself
saves them, by the version that is installed (0.18 or 1):

    python -m venv v && v/bin/pip install "great_expectations<1" && v/bin/python generate.py
"""
import json

import great_expectations as gx

KINDS = [
    ("expect_table_row_count_to_be_between", dict(min_value=100, max_value=1000000)),
    ("expect_table_column_count_to_equal", dict(value=9)),
    ("expect_column_to_exist", dict(column="amount")),
    ("expect_column_values_to_be_of_type", dict(column="amount", type_="float64")),
    ("expect_column_values_to_not_be_null", dict(column="amount", mostly=0.99)),
    ("expect_column_values_to_be_between", dict(column="amount", min_value=0, max_value=100000, mostly=0.999)),
    ("expect_column_mean_to_be_between", dict(column="amount", min_value=5, max_value=500)),
    ("expect_column_median_to_be_between", dict(column="amount", min_value=2, max_value=100)),
    ("expect_column_quantile_values_to_be_between", dict(column="amount", quantile_ranges={"quantiles": [0.05, 0.99], "value_ranges": [[0, 5], [None, 5000]]})),
    ("expect_column_max_to_be_between", dict(column="amount", min_value=10, max_value=100000)),
    ("expect_column_stdev_to_be_between", dict(column="amount", min_value=1, max_value=50)),
    ("expect_column_values_to_be_between", dict(column="fraud_score", min_value=0, max_value=1, strict_max=True)),
    ("expect_column_values_to_be_in_set", dict(column="country", value_set=["DE", "FR", "NL"])),
    ("expect_column_value_lengths_to_equal", dict(column="country", value=2)),
    ("expect_column_values_to_match_regex", dict(column="card", regex="^tok_[0-9a-f]{16}$")),
    ("expect_column_values_to_match_regex", dict(column="reference", regex="(?=x)x")),
    ("expect_column_values_to_not_match_regex", dict(column="reference", regex="[0-9]{16}")),
    ("expect_column_values_to_be_unique", dict(column="reference")),
    ("expect_compound_columns_to_be_unique", dict(column_list=["merchant", "reference"])),
    ("expect_column_pair_values_a_to_be_greater_than_b", dict(column_A="amount", column_B="fee", or_equal=True)),
    ("expect_column_unique_value_count_to_be_between", dict(column="merchant", min_value=10)),
    ("expect_column_values_to_not_be_in_set", dict(column="merchant", value_set=["test", "unknown"])),
    ("expect_column_values_to_be_increasing", dict(column="fee")),
    ("expect_column_values_to_be_of_type", dict(column="Booked At", type_="datetime64[ns]")),
]


def camel(kind):
    word = "".join(part.capitalize() for part in kind.split("_"))
    return word.replace("ValuesAToBe", "ValuesAToBe")


if gx.__version__.startswith("0."):
    from great_expectations.core import ExpectationConfiguration, ExpectationSuite

    suite = ExpectationSuite(expectation_suite_name="payments")
    for kind, kwargs in KINDS:
        suite.add_expectation(ExpectationConfiguration(expectation_type=kind, kwargs=kwargs), overwrite_existing=False)
    name = "suite_0.json"
else:
    import great_expectations.expectations as gxe

    gx.get_context(mode="ephemeral")
    suite = gx.ExpectationSuite(name="payments")
    for kind, kwargs in KINDS:
        suite.add_expectation(getattr(gxe, camel(kind))(**kwargs))
    name = "suite_1.json"

with open(name, "w") as file:
    json.dump(suite.to_json_dict(), file, indent=1, sort_keys=True)
    file.write("\n")

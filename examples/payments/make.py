"""Writes hours of payments as CSV files: hour00.csv to hour11.csv are alike, and
in bad.csv, the hour after them, amounts come in cents instead of euros."""
import csv, datetime, random, sys

folder = sys.argv[1] if len(sys.argv) > 1 else "."
random.seed(1)
start = datetime.datetime(2025, 5, 1)


def hour(name, n, factor):
    with open(f"{folder}/{name}.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["account", "event_time", "amount", "country", "event_id"])
        for i in range(500):
            at = start + datetime.timedelta(hours=n, seconds=7 * i)
            amount = round(random.lognormvariate(3, 0.6) * factor, 2)
            out.writerow([f"a{random.randrange(200):03}", at.isoformat() + "Z", amount, random.choice(["DE", "DE", "FR", "NL"]), f"{n}-{i}"])


for n in range(12):
    hour(f"hour{n:02}", n, 1)
hour("bad", 12, 100)

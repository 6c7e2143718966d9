"""Writes frequency.json: ranges of times and calendars as pandas has them.

    make goldens
"""

import json
import math
import pathlib

import pandas as pd

RANGES = [
    # frequency, pandas' name for it, start, zone
    ("250ms", "250ms", "2024-02-29 23:59:59.5", "UTC"),
    ("90s", "90s", "1949-12-31 23:58", "UTC"),
    ("15min", "15min", "2024-03-31 01:15", "Europe/Berlin"),
    ("1h", "h", "2024-10-27 00:00", "Europe/Berlin"),
    ("6h", "6h", "2024-03-10 00:00", "America/New_York"),
    ("1d", "D", "2024-03-29 12:30", "Europe/Berlin"),
    ("3d", "3D", "2023-12-30", "UTC"),
    ("1b", "B", "2024-03-28", "UTC"),
    ("2b", "2B", "2024-03-27", "UTC"),
    ("1w", "7D", "2024-02-20", "America/New_York"),
    ("1mo", "MS", "1949-01-01", "UTC"),
    ("1me", "ME", "1899-12-31", "UTC"),
    ("1q", "QS", "2023-07-01", "Europe/Berlin"),
    ("1qe", "QE", "2023-06-30", "UTC"),
    ("1y", "YS", "1699-01-01", "UTC"),
    ("1ye", "YE", "2023-12-31", "UTC"),
    ("2mo", "2MS", "2023-11-01", "UTC"),
]

ranges = []
for ours, theirs, start, zone in RANGES:
    times = pd.date_range(start, periods=21, freq=theirs, tz=zone)
    ranges.append({"frequency": ours, "zone": zone, "times": [t.isoformat() for t in times]})

calendar = []
for t in pd.date_range("2023-12-20 07:40:30", periods=30, freq="41h", tz="Asia/Kolkata"):
    row = {}
    for name, place in {
        "minute": (t.minute + t.second / 60) / 60,
        "hour": (t - t.normalize()).total_seconds() / 86400,
        "dayofmonth": (t.day - 1) / t.days_in_month,
        "dayofyear": (t.day_of_year - 1) / 366,
        "month": (t.month - 1) / 12,
    }.items():
        row[name + "_sin"] = math.sin(2 * math.pi * place)
        row[name + "_cos"] = math.cos(2 * math.pi * place)
    for i, day in enumerate(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]):
        row["dayofweek_" + day] = float(t.day_of_week == i)
    calendar.append({"time": t.isoformat(), "values": row})

json.dump({"ranges": ranges, "calendar": calendar}, open(pathlib.Path(__file__).with_suffix(".json"), "w"), indent=0)

"""Writes panel.json: tables with gaps, rows out of order and missing values, and what
pandas makes of them with asfreq and interpolate.

    make goldens
"""

import io
import json
import pathlib

import numpy as np
import pandas as pd

CASES = [
    # our frequency, pandas', start, zone, how the times are written
    ("1s", "s", "2024-02-28 23:59:40", "UTC", "%Y-%m-%dT%H:%M:%SZ"),
    ("5min", "5min", "2024-12-31 22:00", "UTC", "%d.%m.%Y %H:%M"),
    ("15min", "15min", "2024-03-30 23:00", "Europe/Berlin", "%Y-%m-%d %H:%M:%S"),
    ("1h", "h", "2024-10-26 20:00", "America/New_York", "%Y-%m-%dT%H:%M:%S%z"),
    ("1h", "h", "2024-03-30 20:00", "Europe/Berlin", "%Y-%m-%d %H:%M"),
    ("1d", "D", "2024-03-20", "Europe/London", "%Y-%m-%d"),
    ("1d", "D", "2024-02-20", "UTC", "%Y%m%d"),
    ("1b", "B", "2024-03-20", "UTC", "%d %b %Y"),
    ("1w", "7D", "2023-11-07", "UTC", "%m/%d/%Y"),
    ("2w", "14D", "2023-11-07", "UTC", "%Y/%m/%d"),
    ("1mo", "MS", "1999-10-01", "UTC", "%Y-%m"),
    ("1me", "ME", "1999-10-31", "UTC", "%Y-%m-%d"),
    ("1q", "QS", "1999-10-01", "UTC", "%Y-%m-%d"),
    ("1qe", "QE", "1999-12-31", "UTC", "%Y-%m-%d"),
    ("1y", "YS", "1900-01-01", "UTC", "%Y-%m-%d"),
    ("30s", "30s", "2024-06-01", "UTC", "unix"),
]

rng = np.random.default_rng(1)


def written(t, how):
    return str(t.value // 10**9) if how == "unix" else t.strftime(how)


def case(ours, theirs, start, zone, how):
    tables, series = [], []
    for name in ["b", "a"]:
        times = pd.date_range(start, periods=int(rng.integers(25, 40)), freq=theirs, tz=zone)
        values = pd.Series(rng.normal(100, 30, len(times)).round(2), index=times)
        keep = rng.random(len(times)) < 0.85
        keep[[0, 1, -1]] = True
        values = values[keep]
        values[rng.random(len(values)) < 0.1] = np.nan
        regular = values.asfreq(theirs)
        filled = regular.interpolate(limit_direction="both")
        series.append({
            "name": name,
            "start": regular.index[0].isoformat(),
            "values": [None if v != v else v for v in regular],
            "filled": list(filled),
        })
        tables.append(pd.DataFrame({"time": [written(t, how) for t in values.index], "id": name, "y": values.to_numpy()}))
    table = pd.concat(tables).sample(frac=1, random_state=2)
    text = io.StringIO()
    table.to_csv(text, index=False)
    return {"frequency": ours, "zone": zone, "csv": text.getvalue(), "series": sorted(series, key=lambda s: s["name"])}


golden = [case(*c) for c in CASES]
json.dump(golden, open(pathlib.Path(__file__).with_suffix(".json"), "w"), indent=0)

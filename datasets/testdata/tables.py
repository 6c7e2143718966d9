"""Writes tables.json: CSV files as pandas, Excel and R write them, and what pandas
reads in them when it is told how. Made with Python 3.11, pandas 3.0 or later:

    python tables.py > tables.json
"""
import io
import json

import numpy as np
import pandas as pd

N = 20
rng = np.random.default_rng(12)
Y = np.round(100 + 5 * np.sin(np.arange(N) / 2) + rng.normal(size=N), 3)
pd.set_option("future.infer_freq_returns_offset", True)
UNITS = {"D": "days", "B": "business days", "h": "hours", "MS": "months", "ME": "months", "BMS": "months", "QS": "quarters",
         "QE": "quarters", "YS": "years", "YE": "years", "W": "weeks", "min": "minutes", "s": "seconds", "ms": "milliseconds"}
cases = []


def add(name, text, y=Y, unit=None, column="", stamps=None):
    cases.append({"name": name, "text": text, "column": column, "unit": unit, "values": [float(v) for v in y],
                  "from": stamps[0] if stamps else None, "to": stamps[-1] if stamps else None})


def dated(name, index, fmt=None, label="date", unit=None):
    """A series over index, whose stamps are written as fmt, and which must be
    regular as pandas finds it."""
    series = pd.Series(Y, index=index, name="y")
    if unit is None:
        unit = UNITS[pd.infer_freq(index).freqstr.split("-")[0]]
    if fmt:
        series.index = index.strftime(fmt)
    text = series.to_csv(index_label=label)
    back = pd.read_csv(io.StringIO(text))
    assert list(back["y"]) == list(Y)
    add(name, text, unit=unit, stamps=[line.split(",")[0] for line in text.splitlines()[1:]])


for freq in ["D", "B", "h", "MS", "ME", "QS", "QE", "YS", "YE", "W", "W-WED", "min", "s", "BMS", "ms"]:
    index = pd.date_range("2024-01-01", periods=N, freq=freq)
    dated("every " + freq, index)
for name, fmt, freq in [("day first", "%d/%m/%Y", "D"), ("month first", "%m/%d/%Y", "D"), ("points", "%d.%m.%Y", "D"),
                        ("two digits", "%d.%m.%y", "D"), ("am and pm", "%m/%d/%Y %I:%M %p", "h"), ("names", "%d-%b-%Y", "D"),
                        ("months by name", "%b %Y", "MS"), ("digits", "%Y%m%d", "D"), ("month digits", "%Y%m", "MS"),
                        ("minutes", "%Y-%m-%d %H:%M", "h"), ("T and Z", "%Y-%m-%dT%H:%M:%SZ", "h"), ("slashes", "%Y/%m/%d", "D"),
                        ("months, month first", "%m/%d/%Y", "MS"), ("ISO weeks", "%G-W%V", "W")]:
    dated(name, pd.date_range("2024-01-01", periods=N, freq=freq), fmt)
# The clock is put forward and back within these.
dated("zones", pd.date_range("2024-03-31 00:00", periods=N, freq="h", tz="Europe/Berlin"), label="time")
dated("days of a zone", pd.date_range("2024-03-25", periods=N, freq="D", tz="Europe/Berlin"), label="time", unit="days")
for name, start in [("summer time", "2024-03-30 20:00"), ("winter time", "2024-10-26 20:00")]:
    zone = pd.date_range(start, periods=N, freq="h", tz="Europe/Berlin")
    dated(name, zone.tz_localize(None), unit="hours")
hours = pd.date_range("2024-01-01", periods=N, freq="h")
for name, unit in [("seconds", 1), ("milliseconds", 1000)]:
    dated("epoch in " + name, pd.Index((hours - pd.Timestamp(0)) // pd.Timedelta(1, "s") * unit), label="timestamp", unit="hours")
dated("years", pd.Index(np.arange(1990, 1990 + N)), label="year", unit="years")

days = pd.date_range("2024-01-01", periods=N)
add("series without a name", pd.Series(Y, index=days).to_csv(), unit="days")
add("series without names", pd.Series(Y).to_csv())
add("frame with numbers for names", pd.DataFrame({0: Y, 1: Y + 1}).to_csv(), column="2")
add("wide years", pd.DataFrame({2023: Y, 2024: Y + 1}, index=[f"d{i}" for i in range(N)]).to_csv(index_label="day", float_format="%.3f"), column="2")
add("index of a filtered frame", pd.DataFrame({"y": Y}, index=np.arange(N) ** 2 + 3).to_csv())
add("index that counts from 1", pd.DataFrame({"y": Y}, index=np.arange(1, N + 1)).to_csv(index_label="row"))
months = pd.date_range("2024-01-01", periods=N, freq="MS")
add("year and month", pd.DataFrame({"year": months.year, "month": months.month, "y": Y}).to_csv(index=False), unit="months")
add("year and month by name", pd.DataFrame({"year": months.year, "month": months.strftime("%B"), "y": Y}).to_csv(index=False), unit="months")
add("year to hour", pd.DataFrame({"No": range(1, N + 1), "year": hours.year, "month": hours.month, "day": hours.day, "hour": hours.hour, "y": Y}).to_csv(index=False), unit="hours")
quarters = pd.date_range("2024-01-01", periods=N, freq="QS")
add("year and quarter", pd.DataFrame({"year": quarters.year, "quarter": quarters.quarter, "y": Y}).to_csv(index=False), unit="quarters")
add("date and time", pd.DataFrame({"date": hours.strftime("%d.%m.%Y"), "time": hours.strftime("%H:%M"), "y": Y}).to_csv(index=False), unit="hours")
add("calendar month alone", pd.DataFrame({"month": months.month, "y": Y}).to_csv(index=False))


def written(name, form, y=Y, sep=";", **how):
    """Numbers as form writes them, which pandas reads when it is told how."""
    text = f"date{sep}y\n" + "".join(f"{d:%Y%m%d}{sep}{form(v)}\n" for d, v in zip(days, y))
    back = pd.read_csv(io.StringIO(text), sep=sep, **how)["y"]
    assert np.allclose(back, y, atol=0.006), name
    add(name, text, y=back, unit="days")


def german(text):
    return text.translate(str.maketrans(",.", ".,"))


thousands = np.round(Y * 37, 2)
written("decimal comma", lambda v: german(f"{v:.2f}"), decimal=",")
written("decimal comma and thousands", lambda v: german(f"{v:,.2f}"), thousands, decimal=",", thousands=".")
written("thousands", lambda v: f'"{v:,.2f}"', thousands, sep=",", thousands=",")
written("millions", lambda v: f'"{v:,.0f}"', np.round(Y * 12345), sep=",", thousands=",")
written("Swiss thousands", lambda v: f"{v:,.2f}".replace(",", "'"), thousands, thousands="'")
written("exponents and comma", lambda v: german(f"{v:.4e}"), np.array([float(f"{v:.4e}") for v in thousands]), decimal=",")
# pandas leaves these to string methods.
french = pd.Series([f"{v:,.2f}".replace(",", "\u202f").replace(".", ",") for v in thousands])
add("French thousands", "date;y\n" + "".join(f"{d:%Y%m%d};{v}\n" for d, v in zip(days, french)), unit="days",
    y=french.str.replace("\u202f", "").str.replace(",", ".").astype(float))
add("dollars", "date,y\n" + "".join(f'{d:%Y%m%d},"${v:,.2f}"\n' for d, v in zip(days, thousands)), unit="days",
    y=pd.Series([f"${v:,.2f}" for v in thousands]).str.replace("[$,]", "", regex=True).astype(float))
add("euros", "date;y\n" + "".join(f"{d:%Y%m%d};{german(f'{v:,.2f}')} €\n" for d, v in zip(days, thousands)), unit="days",
    y=pd.Series([f"{v:,.2f}" for v in thousands]).str.replace(",", "").astype(float))
add("percent", "date,y\n" + "".join(f"{d:%Y%m%d},{v:.1f}%\n" for d, v in zip(days, Y)), unit="days",
    y=pd.Series([f"{v:.1f}%" for v in Y]).str.rstrip("%").astype(float))

plain = pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "y": Y})
add("line ends of old Macs", plain.to_csv(index=False, lineterminator="\r"), unit="days")
add("line ends of Windows", plain.to_csv(index=False, lineterminator="\r\n"), unit="days")
add("sep= of Excel", "sep=;\r\n" + plain.round(2).to_csv(index=False, sep=";", decimal=",", lineterminator="\r\n"), unit="days", y=Y.round(2))
add("separators at the ends", "date,y,\n" + plain.to_csv(index=False, header=False).replace("\n", ",\n"), unit="days")
add("lines of separators", plain.to_csv(index=False) + ",\n,\n", unit="days")
add("bars", plain.to_csv(index=False, sep="|"), unit="days")
add("all quoted", plain.to_csv(index=False, quoting=1), unit="days")
add("R", '"","date","y"\n' + "".join(f'"{i + 1}",{d:%Y-%m-%d},{v}\n' for i, (d, v) in enumerate(zip(days, Y))), unit="days")

print(json.dumps(cases, ensure_ascii=True, indent=1))

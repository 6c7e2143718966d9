"""Writes tables of all types with pyarrow, pandas, polars and fastparquet, and in
types.json what is in them: make goldens.

A value is null where it is missing, a list of one text where it is a time (in RFC 3339)
and a list of nothing where its column is of a type that no table holds."""

import datetime as dt
import decimal
import gzip
import json
import pathlib
import uuid
import zoneinfo

import fastparquet
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
rows = 13
berlin = zoneinfo.ZoneInfo("Europe/Berlin")


def column(values, missing=()):
    return [None if i in missing else v for i, v in enumerate(values)]


def times(step, zone=None, micro=0):
    start = dt.datetime(2024, 3, 30, 22, 0, 0, micro, tzinfo=dt.timezone.utc)  # the clocks go forward in Berlin
    if zone is None:
        return [(start + i * step).replace(tzinfo=None) for i in range(rows)]
    return [(start + i * step).astimezone(zone) for i in range(rows)]


hour, day = dt.timedelta(hours=1), dt.timedelta(days=1)
n = range(rows)
dates = [dt.date(1969, 12, 25) + i * day for i in n]
table = {
    "i8": (pa.int8(), column([i * 19 - 128 for i in n])),
    "u8": (pa.uint8(), column([255 - i for i in n], [3])),
    "i16": (pa.int16(), column([i * 5000 - 32768 for i in n], [0])),
    "u16": (pa.uint16(), column([65535 - i for i in n])),
    "i32": (pa.int32(), column([i - 2**31 for i in n])),
    "u32": (pa.uint32(), column([2**32 - 1 - i for i in n], [12])),
    "i64": (pa.int64(), column([i - 2**53 for i in n], [5])),
    "i64 large": (pa.int64(), column([2**53 + 1 + i for i in n])),
    "u64": (pa.uint64(), column([2**64 - 1 - i for i in n], [1])),
    "f32": (pa.float32(), column([i / 8 - 0.25 for i in n], [2])),
    "f64": (pa.float64(), column([i / 7 for i in n], [2, 3])),
    "nan": (pa.float64(), column([float("nan"), float("inf"), -float("inf"), 5e-324, 1.7e308] + [0.1 * i for i in range(5, rows)])),
    "flag": (pa.bool_(), column([i % 3 == 0 for i in n], [4])),
    "text": (pa.string(), column(["", "a", "é", "NA", "1.5", "\n", '"', "日本", "x" * 300, " ", "null", "0", "z"], [10])),
    "category": (pa.dictionary(pa.int32(), pa.string()), column(["north", "south", "north"] * 4 + ["west"], [7])),
    "date": (pa.date32(), column(dates, [6])),
    "us": (pa.timestamp("us"), column(times(hour, micro=123456), [6])),
    "ms utc": (pa.timestamp("ms", "UTC"), column(times(hour, dt.timezone.utc, 123000))),
    "us berlin": (pa.timestamp("us", "Europe/Berlin"), column(times(hour, berlin))),
    "clock": (pa.time64("us"), column([dt.time(i, 30, 0, 5) for i in n], [9])),
    "decimal": (pa.decimal128(20, 3), column([decimal.Decimal(i * 10**15 + 7).scaleb(-3) - 10**6 for i in n], [8])),
    "empty": (pa.null(), column([None] * rows)),
    "list": (pa.list_(pa.int64()), column([[1, 2]] * rows, [1])),
    "bytes": (pa.binary(), column([b"\x00\xff"] * rows)),
}
# What not every writer has.
more = {
    "f16": (pa.float16(), column([i / 8 for i in n])),
    "ns": (pa.timestamp("ns"), column([1711836000000000000 + i for i in n])),
    "s": (pa.timestamp("s", "+05:30"), column(times(day, dt.timezone(dt.timedelta(hours=5, minutes=30))), [0])),
    "date64": (pa.date64(), column(dates)),
    "clock s": (pa.time32("s"), column([dt.time(23 - i, 59, 59) for i in n])),
    "wide": (pa.decimal256(60, 20), column([decimal.Decimal(i).scaleb(15) + decimal.Decimal(1).scaleb(-20) for i in n])),
    "struct": (pa.struct([("a", pa.int64())]), column([{"a": 1}] * rows)),
    "large text": (pa.large_string(), column(["ab" * i for i in n])),
    "numbers by number": (pa.dictionary(pa.int8(), pa.float64()), column([0.5, 1.5] * 6 + [0.5], [3])),
}
new = {  # of Arrow alone
    "view": (pa.string_view(), column(["v" * 3 * i for i in n], [2])),
    "decimal32": (pa.decimal32(7, 2), column([decimal.Decimal(i * 11).scaleb(-2) for i in n])),
    "decimal64": (pa.decimal64(17, 2), column([decimal.Decimal(-i * 11).scaleb(-2) for i in n])),
    "duration": (pa.duration("s"), column([dt.timedelta(seconds=i) for i in n])),
}


def known(name, kind, value):
    """What is expected of a value."""
    if name in ("list", "bytes", "struct", "duration"):
        return []
    if value is None:
        return None
    if name == "ns":
        return [dt.datetime.fromtimestamp(value // 10**9, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + (".%09d" % (value % 10**9)).rstrip("0").rstrip(".") + "Z"]
    if isinstance(value, dt.datetime):
        value = value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)
        text = value.strftime("%Y-%m-%dT%H:%M:%S") + (".%06d" % value.microsecond).rstrip("0").rstrip(".")
        offset = value.strftime("%z")
        return [text + ("Z" if offset == "+0000" else offset[:3] + ":" + offset[3:])]
    if isinstance(value, dt.date):
        return [value.isoformat() + "T00:00:00Z"]
    if isinstance(value, dt.time):
        return value.strftime("%H:%M:%S") + (".%06d" % value.microsecond).rstrip("0").rstrip(".")
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return ["+Inf", "-Inf", "NaN"][0 if value > 0 else 1 if value < 0 else 2]
    return value


def arrow(columns):
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


wide = {**table, **more}
expected = {name: [known(name, kind, v) for v in values] for name, (kind, values) in {**wide, **new}.items()}
expected["uuid"] = [str(uuid.UUID(int=i * 2**100 + 5)) for i in n]
(here / "types.json").write_text(json.dumps(expected, ensure_ascii=False).replace('], "', '],\n"') + "\n")

everything = arrow(wide)
pq.write_table(everything, here / "pyarrow.parquet", row_group_size=5)
pq.write_table(everything, here / "pyarrow_v2.parquet", version="2.6", data_page_version="2.0", compression="zstd", use_dictionary=False, data_page_size=32, write_batch_size=3)
pq.write_table(arrow(table), here / "pyarrow_v1.parquet", version="1.0", compression="gzip", store_schema=False)
pq.write_table(arrow({"ns": more["ns"], "f64": table["f64"]}), here / "spark.parquet", use_deprecated_int96_timestamps=True, compression="none", store_schema=False)
plain = {name: table[name] for name in ["i32", "i64", "f32", "f64", "u64"]}
pq.write_table(arrow(plain), here / "split.parquet", use_dictionary=False, column_encoding={"i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED", "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT", "u64": "PLAIN"}, compression="lz4")
pq.write_table(arrow({"text": table["text"], "i8": table["i8"]}), here / "delta.parquet", use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY", "i8": "PLAIN"}, compression="brotli", data_page_version="2.0")
pq.write_table(pa.table({"uuid": pa.array([uuid.UUID(int=i * 2**100 + 5).bytes for i in n], pa.uuid())}), here / "uuid.parquet")

local = arrow({**wide, **new})
for name, options in {"pyarrow": {}, "lz4": {"compression": "lz4"}, "zstd": {"compression": "zstd"}}.items():
    with pa.ipc.new_file(here / (name + ".arrow"), local.schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        w.write_table(local.combine_chunks(), max_chunksize=5)
with pa.ipc.new_stream(here / "pyarrow.arrows", local.schema) as w:
    w.write_table(local.combine_chunks(), max_chunksize=5)
(here / "stream.arrows.gz").write_bytes(gzip.compress((here / "pyarrow.arrows").read_bytes(), mtime=0))

frame = arrow({name: table[name] for name in table if name not in ("list", "bytes", "empty", "nan")}).to_pandas(timestamp_as_object=False, types_mapper={pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.uint8(): pd.UInt8Dtype(), pa.int16(): pd.Int16Dtype(), pa.uint32(): pd.UInt32Dtype(), pa.bool_(): pd.BooleanDtype()}.get)
frame.to_parquet(here / "pandas.parquet")
frame.to_feather(here / "pandas.feather")
fastparquet.write(here / "fastparquet.parquet", frame[["i8", "i64", "f64", "flag", "category", "us"]], compression="GZIP")

frame = pl.from_arrow(arrow({name: table[name] for name in table if name != "empty"}))
frame.write_parquet(here / "polars.parquet", row_group_size=4)
frame.write_ipc(here / "polars.arrow", compression="zstd")
frame.write_ipc_stream(here / "polars.arrows")

# The same small table in every format.
days = pd.date_range("2024-03-01", periods=90, freq="D")
demand = pd.DataFrame({"day": days, "y": [40 + 7 * (i % 7) + i * i % 11 / 4 for i in range(90)], "warm": [i % 5 < 2 for i in range(90)], "tags": [["a", "b"]] * 90})
plain = demand.drop(columns="tags").assign(day=days.strftime("%Y-%m-%d"))
plain.to_csv(here / "demand.csv", index=False)
(here / "demand.csv.gz").write_bytes(gzip.compress((here / "demand.csv").read_bytes(), mtime=0))
plain.to_json(here / "demand.jsonl", orient="records", lines=True)
demand.to_parquet(here / "demand.parquet")
demand.to_feather(here / "demand.feather")
with pa.ipc.new_stream(here / "demand.arrows", pa.Schema.from_pandas(demand)) as w:
    w.write_table(pa.Table.from_pandas(demand), max_chunksize=40)

# One problem each.
pq.write_table(pa.table({"y": pa.array([], pa.float64())}), here / "no_rows.parquet")
pq.write_table(pa.Table.from_arrays([pa.array([1, 2]), pa.array([3, 4])], ["y", "y"]), here / "twice.parquet")
pq.write_table(pa.table({"t": pa.array([0, 10**15], pa.timestamp("ms"))}), here / "late.parquet")

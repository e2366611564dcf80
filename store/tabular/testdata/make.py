"""Makes types.parquet with pyarrow 26.0.1: every kind of column, as another writer has it;
empty.parquet and gaps.parquet, which have row groups without rows; and runs1, runs2, lz4_1 and
lz4_2.parquet, which have pages of version 1 and 2 that parquet-go reads wrong.

parquet_test.go and restated_test.go hold the rows as they must be read. Run in this folder.
"""

import datetime
import decimal

import pyarrow as pa
import pyarrow.parquet as pq

UTC = datetime.timezone.utc
at = datetime.datetime(2013, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
schema = pa.schema(
    [
        ("event_id", pa.string()),
        ("flag", pa.bool_()),
        ("small", pa.int8()),
        ("big", pa.int64()),
        ("natural", pa.uint64()),
        ("half", pa.float16()),
        ("single", pa.float32()),
        ("double", pa.float64()),
        ("text", pa.string()),
        ("blob", pa.binary()),
        ("day", pa.date32()),
        ("clock", pa.time64("us")),
        ("at", pa.timestamp("ms", tz="UTC")),
        ("local", pa.timestamp("ns")),
        ("price", pa.decimal128(12, 3)),
        ("words", pa.list_(pa.string())),
        ("grid", pa.list_(pa.list_(pa.int32()))),
        ("point", pa.struct([("x", pa.float64()), ("tags", pa.list_(pa.string()))])),
        ("counts", pa.map_(pa.string(), pa.int32())),
        ("ids", pa.map_(pa.int32(), pa.string())),
        ("points", pa.list_(pa.struct([("x", pa.int32()), ("y", pa.int32())]))),
    ]
)
rows = [
    dict(
        event_id="a-1", flag=True, small=-7, big=2**63 - 1, natural=2**64 - 1, half=0.5, single=0.1, double=0.1,
        text='a "quoted" é\n', blob=b"\x00\xff", day=at.date(), clock=at.time(), at=at, local=at.replace(tzinfo=None),
        price=decimal.Decimal("-0.042"), words=["a", None, ""], grid=[[1, 2], [], None, [3]],
        point=dict(x=1.5, tags=["t"]), counts=[("one", 1), ("none", None)], ids=[(7, "seven")],
        points=[dict(x=1, y=2), None, dict(x=None, y=4)],
    ),
    {name: None for name in schema.names},
    dict(
        event_id="", flag=False, small=0, big=-(2**63), natural=0, half=float("-inf"), single=float("inf"), double=float("nan"),
        text="", blob=b"", day=datetime.date(1969, 12, 31), clock=datetime.time(23, 59, 59, 999999),
        at=datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), local=datetime.datetime(1970, 1, 1),
        price=decimal.Decimal("123456789.000"), words=[], grid=[], point=dict(x=None, tags=[]), counts=[], ids=[],
        points=[],
    ),
]  # fmt: skip
pq.write_table(pa.Table.from_pylist(rows, schema=schema), "types.parquet", compression="zstd", store_schema=False)

plain = pa.table({"n": pa.array([1, 2, 3]), "text": pa.array(["a", "b", None])})
pq.write_table(plain.slice(0, 0), "empty.parquet", store_schema=False)
with pq.ParquetWriter("gaps.parquet", plain.schema, store_schema=False) as file:
    for rows in (plain.slice(0, 0), plain.slice(0, 2), plain.slice(0, 0), plain.slice(2, 1), plain.slice(0, 0)):
        file.write_table(rows)

# What parquet-go reads wrong (restated.go): booleans in runs, and pages that LZ4 hardly makes smaller.
numbers = range(600)
words = pa.table({
    "flag": pa.array([i // 13 % 3 == 1 for i in numbers]),
    "some": pa.array([None if i % 7 == 3 else i * i % 11 < 5 for i in numbers]),
    "none": pa.array([None for i in numbers], pa.bool_()),
    "flags": pa.array([None if i % 9 == 4 else [(i + k) % 5 < 2 for k in range(i % 4)] for i in numbers]),
    "root": pa.array([i**0.5 for i in numbers]),
    "word": pa.array([None if i % 5 == 2 else f"{i**0.5!r}" for i in numbers]),
})  # fmt: skip
runs = {name: "RLE" for name in ("flag", "some", "none", "flags.list.element")}
for name, options in {
    "runs1": {"data_page_version": "1.0", "column_encoding": runs, "compression": "zstd"},
    "runs2": {"data_page_version": "2.0", "compression": "none"},
    "lz4_1": {"data_page_version": "1.0", "compression": "lz4", "write_page_checksum": True},
    "lz4_2": {"data_page_version": "2.0", "compression": "lz4"},
}.items():
    pq.write_table(words, f"{name}.parquet", row_group_size=250, use_dictionary=False, store_schema=False, **options)

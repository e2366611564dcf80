"""Rows from and to pandas and Arrow, which are imported when they are asked for."""

from __future__ import annotations

import importlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .errors import InvalidRequest
from .rows import Provenance, across
from .schema import Schema, encode, instant

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from .rows import Rows

_PANDAS = {
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "bool": "boolean",
    "timestamp": "datetime64[ns, UTC]",
}


def _extra(module: str, extra: str) -> Any:
    """Imports what is not needed for reading and writing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as err:
        if err.name != module:
            raise
        raise ModuleNotFoundError(f"{module} is not there: pip install 'sluice[{extra}]'", name=module) from err


def records(data: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the rows of dicts, a DataFrame, an Arrow table or an Arrow record batch. What pandas calls
    missing is null."""
    if isinstance(data, Mapping):
        raise InvalidRequest("push takes a list of rows, not one row", hint="put it into a list")
    if hasattr(data, "to_pylist"):
        yield from data.to_pylist()
    elif hasattr(data, "itertuples") and hasattr(data, "columns"):
        names = [str(c) for c in data.columns]
        plain = data.astype(object).where(data.notna(), None)
        for row in plain.itertuples(index=False, name=None):
            yield dict(zip(names, row, strict=True))
    else:
        yield from data


def lines(data: Any, schema: Schema) -> Iterator[bytes]:
    """Yields rows as JSON lines. Rows without an event_id get one, so that a line that is sent twice counts once."""
    push, known = uuid.uuid4().hex, _columns(schema)
    for i, row in enumerate(records(data)):
        if "values" not in row and "key" not in row:
            extra = [c for c in row if c not in known]
            if extra:
                raise InvalidRequest(
                    f"row {i}: {', '.join(map(repr, extra))} is no column of view {schema.view}",
                    hint=f"it has {', '.join(sorted(known))}; leave the rest out, or add it to the definition",
                )
        line = {"event_id": f"{push}-{i}", **row}
        yield json.dumps({k: encode(v) for k, v in line.items()}, separators=(",", ":")).encode() + b"\n"


def _columns(schema: Schema) -> set[str]:
    names = schema.columns or {}
    own = {names.get(n, n) for n in (*schema.keys, *schema.features)}
    return own | {schema.event_time, "op", "event_id"}


def batches(parts: Iterable[bytes], most_lines: int = 5000, most_bytes: int = 4 << 20) -> Iterator[bytes]:
    """Yields lines joined to bodies within the server's limits."""
    body: list[bytes] = []
    count = size = 0
    for line in parts:
        if body and (count == most_lines or size + len(line) > most_bytes):
            yield b"".join(body)
            body, count, size = [], 0, 0
        body.append(line)
        count, size = count + 1, size + len(line)
    if body:
        yield b"".join(body)


def to_pandas(columns: Mapping[str, list[Any]], schema: Schema) -> pandas.DataFrame:
    """Returns columns with pandas types that can be null."""
    pd = _extra("pandas", "pandas")
    frame = {}
    for name, values in columns.items():
        kind = schema.kind(name)
        if name.endswith("__event_time") and not kind:
            kind = "timestamp"
        frame[name] = pd.Series(values, dtype=_PANDAS.get(kind, "object"))
    made: pandas.DataFrame = pd.DataFrame(frame)
    return made


def _kind(schema: Schema, name: str) -> str:
    """Returns the declared type of a column of Rows.to_dict; json for a path into a json feature."""
    kind = schema.kind(name)
    if kind:
        return kind
    if name.endswith("__event_time"):
        return "timestamp_ns"
    return "string" if name.endswith("__status") else "json"


def _array(kind: str, values: list[Any]) -> pyarrow.Array[Any]:
    pa = _extra("pyarrow", "arrow")

    if kind == "json":
        values = [None if v is None else json.dumps(v) for v in values]
    return pa.array(values, arrow_type(kind))


def _about(view: str, provenance: Provenance, views: Mapping[str, Provenance]) -> dict[bytes | str, bytes | str]:
    """Returns the metadata of a table: the provenance as JSON, and that of each view."""
    whole = {"view": view, **asdict(provenance)}
    each = {name: asdict(p) for name, p in views.items()}
    return {"sluice.provenance": json.dumps(whole), "sluice.provenances": json.dumps(each)}


def to_arrow(rows: Rows, columns: Mapping[str, list[Any]]) -> pyarrow.Table:
    """Returns columns with Arrow types; the metadata ``sluice.provenance`` is the provenance as JSON, and
    ``sluice.provenances`` that of each view."""
    pa = _extra("pyarrow", "arrow")

    arrays = {name: _array(_kind(rows.schema, name), values) for name, values in columns.items()}
    return pa.table(arrays).replace_schema_metadata(_about(rows.view, rows.provenance, rows.provenances))


def record_batch(
    schema: Schema, raw: list[Any], views: Mapping[str, Provenance], statuses: bool, event_times: bool
) -> pyarrow.RecordBatch:
    """Returns a part of a stream as one record batch, with the columns, types and metadata of to_arrow."""
    pa = _extra("pyarrow", "arrow")

    columns: dict[str, list[Any]] = {}
    for part, names in (("key", schema.keys), ("values", raw[0]["values"])):
        for name in names:
            decode, cells = schema.decoder(name), [r[part].get(name) for r in raw]
            columns[name] = [None if v is None else decode(v) for v in cells] if decode else cells
            if part == "values" and statuses:
                columns[name + "__status"] = [r["statuses"][name] for r in raw]
            if part == "values" and event_times:
                columns[name + "__event_time"] = [t and instant(t) for t in (r["event_times"][name] for r in raw)]
    arrays = [_array(_kind(schema, name), values) for name, values in columns.items()]
    batch = pa.RecordBatch.from_arrays(arrays, names=list(columns))
    return batch.replace_schema_metadata(_about(schema.view, across(views), views))


def arrow_type(text: str) -> Any:
    """Returns the Arrow type of a declared type."""
    pa = _extra("pyarrow", "arrow")

    if text.startswith("list<"):
        return pa.list_(arrow_type(text[len("list<") : -1]))
    return {
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float32": pa.float32(),
        "float64": pa.float64(),
        "bytes": pa.binary(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("s", "UTC"),
        "timestamp_ns": pa.timestamp("ns", "UTC"),
    }.get(text, pa.string())

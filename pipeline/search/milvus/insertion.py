"""Columns to Milvus, as fast as it takes them: numpy's bytes become the request's, with no Python object a number.

A request lists its numbers packed (https://protobuf.dev/programming-guides/encoding/#packed), which for floats is what
numpy holds in memory. The next batch is made ready while the server works on the one before; two are never under way,
so that the rows which a cut-off insert leaves are always the first ones.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from pymilvus import DataType
from pymilvus.exceptions import ErrorCode, MilvusException
from pymilvus.grpc_gen import common_pb2, schema_pb2
from pymilvus.grpc_gen.milvus_pb2 import InsertRequest, UpsertRequest

from pipeline.core.arrays import Floats, Ints, Numbers
from pipeline.core.columns import ID, VECTOR
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.search.engine import Column

BATCH = 25_000  # rows, held up to three times; from 10,000 to 100,000 the rates lie within the noise
_BATCH_BYTES = 16 << 20  # of vectors in one request; Milvus refuses requests over 64 MB
_TIMEOUT_S = 120
_PACKED = b"\x0a"  # field 1, length-delimited: `data` of FloatArray, DoubleArray and LongArray


def send(
    stub: Any,
    name: str,
    ids: Ints,
    vectors: Floats,
    scalars: Mapping[str, Column],
    progress: Progress = silent,
    start: int = 0,
    upsert: bool = False,
) -> None:
    """Send the rows from `start` on, in their order.

    A later start than 0 goes on from an insert that was cut off, so its first batch replaces rows of the same ids.
    """
    _check(ids, vectors, scalars)
    under_way: tuple[Any, Any] | None = None
    size = batch_rows(vectors.shape[1])
    for low in range(start, len(ids), size):
        part = slice(low, low + size)
        kind = UpsertRequest if upsert or (start and low == start) else InsertRequest
        message = request(kind, name, ids[part], vectors[part], {k: column[part] for k, column in scalars.items()})
        if under_way:
            _finished(stub, *under_way)
            progress(low, len(ids), "inserting vectors")
        under_way = _begin(stub, message), message
    if under_way:
        _finished(stub, *under_way)
    progress(len(ids), len(ids), "inserting vectors")


def batch_rows(dim: int) -> int:
    """Choose how many vectors of `dim` float32 one request holds."""
    return min(BATCH, max(1, _BATCH_BYTES // (4 * dim)))


def _check(ids: Ints, vectors: Floats, scalars: Mapping[str, Column]) -> None:
    for what, column in {"vectors": vectors, **scalars}.items():
        if len(column) != len(ids):
            raise UserError(f"'{what}' has {len(column):,} rows and there are {len(ids):,} ids: give one row an id.")


def _begin(stub: Any, message: Any) -> Any:
    call = stub.Upsert if isinstance(message, UpsertRequest) else stub.Insert
    return call.future(message, timeout=_TIMEOUT_S)


def _finished(stub: Any, reply: Any, message: Any) -> None:
    """Wait for the server's answer; ask again only where it says that it took nothing because it came too fast."""
    deadline, pause = time.monotonic() + _TIMEOUT_S, 0.05
    while True:
        status = reply.result().status
        if not (status.code or status.error_code):
            return
        limited = status.code == ErrorCode.RATE_LIMIT or status.error_code == common_pb2.RateLimit
        if not limited or time.monotonic() > deadline:
            raise MilvusException(status.code, status.reason, status.error_code)
        time.sleep(pause)
        pause = min(2 * pause, 1.0)
        reply = _begin(stub, message)


def request(
    kind: Any,
    name: str,
    ids: Ints,
    vectors: Floats,
    scalars: Mapping[str, Column],
) -> Any:
    """Make one batch; vectors: (n, dim) float32."""
    message = kind(collection_name=name, num_rows=len(ids))
    _add_scalar(message, ID, np.asarray(ids, np.int64))
    field = message.fields_data.add(type=DataType.FLOAT_VECTOR, field_name=VECTOR)
    field.vectors.dim = vectors.shape[1]
    field.vectors.float_vector.MergeFromString(_packed(np.asarray(vectors, "<f4")))
    for column, values in scalars.items():
        _add_scalar(message, column, values)
    return message


def _add_scalar(message: Any, name: str, values: Column) -> None:
    """Add a column: text is a list, whole numbers are int64, others float64."""
    if isinstance(values, list):
        field = message.fields_data.add(type=DataType.VARCHAR, field_name=name)
        field.scalars.string_data.CopyFrom(schema_pb2.StringArray(data=values))
    elif np.issubdtype(values.dtype, np.integer):
        field = message.fields_data.add(type=DataType.INT64, field_name=name)
        field.scalars.long_data.data.extend(values.tolist())  # varints packed by numpy took as long
    else:
        field = message.fields_data.add(type=DataType.DOUBLE, field_name=name)
        field.scalars.double_data.MergeFromString(_packed(np.asarray(values, "<f8")))


def _packed(numbers: Numbers) -> bytes:
    """Write numbers of a fixed width as the packed field 1 of a message."""
    length, size = bytearray(), numbers.nbytes
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return b"".join((_PACKED, length, numbers.tobytes()))

"""Named arrays and plain values to one compressed, checksummed block of bytes, and back.

Journal entries and checkpoints are written this way. There is no pickle: a block holds numbers, strings and raw
little-endian arrays only, so reading one from a cluster runs nothing. Knows no journal and no model.
"""

from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np
import zstandard

MAGIC = "outrider"
LEVEL = 3
"""zstandard level: higher ones gain under 3 % on float64 columns and cost several times the time."""


class PackingError(ValueError):
    """A block of bytes is damaged, or of a kind or version that this release cannot read."""


class NewerFormatError(PackingError):
    """A block of bytes was written by a newer release: this one must leave the state alone."""


def pack(
    kind: str, version: int, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]
) -> bytes:
    """Encode plain `fields` (numbers, strings, lists) and `arrays` as one zstandard frame with a checksum."""
    body = {
        "magic": MAGIC,
        "kind": kind,
        "version": version,
        "fields": dict(fields),
        "arrays": {name: _encode_array(array) for name, array in arrays.items()},
    }
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
    return compressor.compress(msgpack.packb(body))


def unpack(block: bytes, kind: str, version: int) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Decode what `pack` wrote: (fields, arrays).

    Raises
    ------
    PackingError
        When the checksum is wrong, the block is cut short, or it is of another kind or version.
    NewerFormatError
        When it is of a newer version.
    """
    try:
        body = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(block))
    except (zstandard.ZstdError, ValueError, msgpack.UnpackException) as error:
        msg = f"the stored {kind} is damaged ({len(block):,} bytes): {error}"
        raise PackingError(msg) from error
    if not isinstance(body, dict) or body.get("magic") != MAGIC:
        msg = f"the stored {kind} was not written by Outrider"
        raise PackingError(msg)
    if body["kind"] == kind and body["version"] > version:
        raise NewerFormatError(newer_text(f"stored {kind}", body["version"], version))
    if (body["kind"], body["version"]) != (kind, version):
        msg = f"expected a {kind} of version {version}, found a {body['kind']} of version {body['version']}"
        raise PackingError(msg)
    return body["fields"], {name: _decode_array(*stored) for name, stored in body["arrays"].items()}


def newer_text(what: str, found: int, known: int) -> str:
    """Say that something was written by a newer release, with both versions and what to do."""
    return (
        f"the {what} has version {found}, this release of Outrider knows version {known}: a newer release has written "
        "it; upgrade this one. Nothing is lost, and nothing was written"
    )


def _encode_array(array: np.ndarray[Any, Any]) -> tuple[str, list[int], bytes]:
    little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little_endian.dtype.str, list(array.shape), little_endian.tobytes()


def _decode_array(dtype: str, shape: list[int], raw: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(raw, dtype=np.dtype(dtype)).reshape(shape).copy()

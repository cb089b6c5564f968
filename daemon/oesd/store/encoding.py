"""Arrays as compact bytes, without loss.

Every blob starts with a byte that names its form (so that a form can be replaced without rewriting old records),
the number k of a prediction, and the array's length::

    counts   "C" 0 n | zstd( byte planes( zigzag( difference( uint32 counts ))))
    mask     empty when no pixel is set, "I" 0 n | uint16 places when few are, else "M" 0 n | zstd( packed bits )
    floats   "F" 0 n | zstd( byte planes( float64 ))
    spread   "S" 0 n | zstd( byte planes( upper halves of float32 ))
    milli    "P" k n | zstd( byte planes( zigzag( difference( round(1000 x) - round(1000 prediction_k) ))))
             "P" k n   where the prediction is the array

Byte planes put all lowest bytes first, then all second ones (``shuffle`` of HDF5 and Blosc): neighbouring
differences are small, so that all planes but the lowest are runs of zeros and cost nothing.

A *spread*, the standard deviation of n scans, is itself known to 1 in sqrt(2n): it is rounded to a quarter of that at
most, three significant bits for 2 scans, five for 10, eight for 1000 and more. (Eight are the upper half of a float32.)

A *milli* array is one whose values are whole thousandths. It is stored as the difference to the best of the
predictions that its reader can make too: where the engine only subtracted the dark, next to nothing is left. All of
it is arithmetic that IEEE 754 rounds the same way on every machine.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Sequence
from math import ceil, log2, sqrt
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from oesd.model import CountArray, FloatArray, MaskArray, SpreadArray

LEVEL = 3
Prediction = Callable[[], FloatArray]
_own = threading.local()
LARGEST = 1 << 28
_HEAD = struct.Struct("<BBI")
_COUNTS, _MASK, _FLOATS, _MILLI, _SPREAD, _PLACES = b"CMFPSI"
_FEW = 12  # places of two bytes; the bits of a mask with so few take more under zstd
_MILLI_RANGE = 2.0**52
_NAN_HALF = 0x7FC0


class EncodingError(ValueError):
    """These bytes were not made by this module, or have changed since."""


def pack_bytes(data: bytes) -> bytes:
    """One zstd frame with its length and a checksum."""
    # One for each thread: making one takes longer than compressing a spectrum, and two threads may not share one.
    compressor: zstandard.ZstdCompressor | None = getattr(_own, "compressor", None)
    if compressor is None:
        compressor = _own.compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    return compressor.compress(data)


def unpack_bytes(frame: bytes, known: zstandard.ZstdCompressionDict | None = None) -> bytes:
    """Inverse of :func:`pack_bytes`; a frame that claims more than 256 MiB is refused before anything is allocated.

    ``known`` is what the frame may refer to.
    """
    try:
        if not 0 <= zstandard.frame_content_size(frame) <= LARGEST:
            raise EncodingError("frame without a sane length")
        return _decompressor(known).decompress(frame)
    except zstandard.ZstdError as error:
        raise EncodingError(str(error)) from error


def _decompressor(known: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdDecompressor:
    """One for each thread and dictionary: making one takes longer than decompressing a spectrum."""
    made: dict[Any, zstandard.ZstdDecompressor] | None = getattr(_own, "decompressors", None)
    if made is None:
        made = _own.decompressors = {}
    if known not in made:
        made[known] = zstandard.ZstdDecompressor(dict_data=known)
    return made[known]


def pack_counts(counts: CountArray) -> bytes:
    """Counts, shape (pixels,), as bytes."""
    whole = counts.astype("<u4", copy=False)
    steps = whole.copy()  # np.diff with a first value takes four times as long
    np.subtract(whole[1:], whole[:-1], out=steps[1:])
    return _framed(_COUNTS, len(counts), planes(zigzag(steps.view("<i4"))))


def unpack_counts(blob: bytes) -> CountArray:
    """Inverse of :func:`pack_counts`; the array is read-only."""
    _, length, data = _opened(blob, _COUNTS)
    steps = unzigzag(from_planes(data, "<u4", length))
    return _fixed(np.cumsum(steps.view("<u4"), dtype=np.uint32))


def pack_mask(mask: MaskArray) -> bytes:
    """A mask, shape (pixels,), as bytes: none at all when nothing is set."""
    places = np.flatnonzero(mask)
    if 0 < len(places) <= _FEW and len(mask) <= 1 << 16:
        return _HEAD.pack(_PLACES, 0, len(mask)) + places.astype("<u2").tobytes()
    return _framed(_MASK, len(mask), np.packbits(mask).tobytes()) if len(places) else b""


def unpack_mask(blob: bytes, pixels: int) -> MaskArray:
    """Inverse of :func:`pack_mask`; the array is read-only."""
    found = np.zeros(pixels, dtype=np.bool_)
    if blob[:1] == bytes([_PLACES]):
        places = np.frombuffer(blob[_HEAD.size :], "<u2") if len(blob) % 2 == 0 else np.zeros(0, "<u2")
        if len(blob) < _HEAD.size or _HEAD.unpack_from(blob)[2] != pixels or not len(places) or places.max() >= pixels:
            raise EncodingError("places of another mask")
        found[places] = True
    if not blob or blob[:1] == bytes([_PLACES]):
        return _fixed(found)
    _, length, data = _opened(blob, _MASK)
    if length != pixels or len(data) != (pixels + 7) // 8:
        raise EncodingError("mask of another length")
    return _fixed(np.unpackbits(np.frombuffer(data, np.uint8), count=pixels).astype(np.bool_))


def pack_spread(spread: SpreadArray, scans: int) -> bytes:
    """Standard deviations of so many scans, shape (pixels,), as bytes: as many bits of each as mean something."""
    bits = spread.astype("<f4", copy=False).view("<u4").astype(np.uint64)
    dropped = 24 - _significant_bits(scans)
    even = (1 << (dropped - 1)) - 1 + (bits >> dropped & 1)  # ties to even
    rounded = np.where(np.isfinite(spread), (bits + even) >> dropped << dropped, bits) >> 16
    halves = np.where(np.isnan(spread), _NAN_HALF, rounded)
    return _framed(_SPREAD, len(spread), planes(halves.astype("<u2")))


def _significant_bits(scans: int) -> int:
    return min(max(ceil(log2(4.0 * sqrt(2.0 * max(scans - 1, 1)))), 3), 8)


def unpack_spread(blob: bytes) -> SpreadArray:
    """Inverse of :func:`pack_spread`; the array is read-only."""
    _, length, data = _opened(blob, _SPREAD)
    return _fixed((from_planes(data, "<u2", length).astype("<u4") << 16).view("<f4"))


def pack_floats(values: FloatArray) -> bytes:
    """Any float64 array, shape (n,), bit for bit."""
    return _framed(_FLOATS, len(values), planes(values.astype("<f8", copy=False)))


def unpack_floats(blob: bytes) -> FloatArray:
    """Inverse of :func:`pack_floats`; the array is read-only."""
    _, length, data = _opened(blob, _FLOATS)
    return _fixed(from_planes(data, "<f8", length).astype(np.float64, copy=False))


def pack_milli(values: FloatArray, predictions: Sequence[Prediction] = ()) -> bytes:
    """An array of whole thousandths, by the prediction that leaves least; any other array as floats.

    Parameters
    ----------
    values : (n,) float64
        Minus zero is stored as zero.
    predictions : sequence of callable
        Each returns an array, shape (n,). The reader must bring the same in the same order.
    """
    whole = thousandths(values)
    if whole is None or not np.array_equal(whole / 1000.0, values):
        return pack_floats(values)
    bases = [np.zeros_like(whole), *(thousandths(predict()) for predict in predictions)]
    return min((_milli(whole, base, k) for k, base in enumerate(bases) if base is not None), key=len)


def unpack_milli(blob: bytes, predictions: Sequence[Prediction] = ()) -> FloatArray:
    """Inverse of :func:`pack_milli`; the array is read-only."""
    if blob[:1] == bytes([_FLOATS]):
        return unpack_floats(blob)
    chosen, length, data = _opened(blob, _MILLI)
    if len(blob) == _HEAD.size and not (chosen and length <= LARGEST // 8):
        raise EncodingError("array without a sane length")
    base = np.zeros(length, dtype=np.int64)
    if chosen:
        told = thousandths(predictions[chosen - 1]()) if chosen <= len(predictions) else None
        if told is None or len(told) != length:
            raise EncodingError("no such prediction")
        base = told
    if data and (len(data) != 8 * length or data.count(0) != len(data)):
        base = base + np.cumsum(unzigzag(from_planes(data, "<u8", length)))
    return _fixed(base / 1000.0)


def told_alone(blob: bytes) -> list[int] | None:
    """Prediction and length of a milli array that is its prediction; None of any other."""
    return list(_HEAD.unpack(blob)[1:]) if len(blob) == _HEAD.size and blob[0] == _MILLI else None


def alone(chosen: int, length: int) -> bytes:
    """Inverse of :func:`told_alone`; EncodingError when these are no such numbers."""
    try:
        return _HEAD.pack(_MILLI, chosen, length)
    except (struct.error, TypeError) as error:
        raise EncodingError("no such prediction") from error


def thousandths(values: FloatArray) -> NDArray[np.int64] | None:
    """Values times 1000, rounded to integers; None when one of them is not finite or too large for that."""
    small = np.abs(values) < _MILLI_RANGE / 1000.0
    return np.rint(values * 1000.0).astype(np.int64) if small.all() else None


def _milli(whole: NDArray[np.int64], base: NDArray[np.int64], chosen: int) -> bytes:
    if chosen and np.array_equal(whole, base):
        return _HEAD.pack(_MILLI, chosen, len(whole))  # the prediction is all there is
    steps = np.diff(whole - base, prepend=np.int64(0))
    return _framed(_MILLI, len(whole), planes(zigzag(steps)), chosen)


def zigzag(steps: NDArray[Any]) -> NDArray[Any]:
    """Small magnitudes of either sign become small unsigned numbers: 0, -1, 1, -2 ... become 0, 1, 2, 3 ..."""
    bits = 8 * steps.itemsize
    return ((steps << 1) ^ (steps >> (bits - 1))).view(f"<u{steps.itemsize}")


def unzigzag(codes: NDArray[Any]) -> NDArray[Any]:
    """Inverse of :func:`zigzag`."""
    return ((codes >> 1) ^ (~(codes & 1) + 1)).view(f"<i{codes.itemsize}")


def planes(values: NDArray[Any]) -> bytes:
    """All first bytes of an array, then all second ones, and so on."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.itemsize).T.tobytes()


def from_planes(data: bytes, form: str, length: int) -> NDArray[Any]:
    """Inverse of :func:`planes`; ``form`` is the array's type string."""
    size = np.dtype(form).itemsize
    if len(data) != length * size:
        raise EncodingError("array of another length")
    values = np.empty((length, size), dtype=np.uint8)
    for place, plane in enumerate(np.frombuffer(data, np.uint8).reshape(size, length)):
        values[:, place] = plane  # in half the time that the transposed array's copy takes
    return values.view(form).reshape(length)


def _framed(form: int, length: int, data: bytes, chosen: int = 0) -> bytes:
    return _HEAD.pack(form, chosen, length) + pack_bytes(data)


def _opened(blob: bytes, form: int) -> tuple[int, int, bytes]:
    """Prediction, length and data of a blob that must have this form."""
    if len(blob) < _HEAD.size:
        raise EncodingError("too short")
    found, chosen, length = _HEAD.unpack_from(blob)
    if found != form:
        raise EncodingError("unknown form")
    if len(blob) == _HEAD.size and form == _MILLI:
        return chosen, length, b""
    return chosen, length, unpack_bytes(blob[_HEAD.size :])


def _fixed(values: NDArray[Any]) -> NDArray[Any]:
    values.setflags(write=False)
    return values

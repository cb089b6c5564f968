"""Columns of whole numbers as bits: little for the small ones, and no more than they need for the large.

Of each number the count of its binary digits is written in unary, as its distance from the count that is usual in the
column; then the digits after the first. Where numbers scatter over decades, as heights of peaks do, that is within
half a bit of what they tell. Both directions are a few passes over all columns at once.

::

    usual count of each column, a byte each | unary counts, filled to a byte | digits, the lowest bit first, filled
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oesd.store.encoding import EncodingError

Integers = NDArray[np.int64]
LARGEST = 1 << 50


def pack_whole(columns: Sequence[Integers]) -> bytes:
    """Columns of any lengths, of numbers from 0 to below :data:`LARGEST`."""
    counts = [np.frexp(column.astype(np.float64))[1].astype(np.int64) for column in columns]
    usual = np.array([round(float(np.median(count))) if len(count) else 0 for count in counts], dtype=np.uint8)
    numbers, digits = np.concatenate(columns), np.concatenate(counts)
    away = signed_to_whole(digits - np.repeat(usual, [len(column) for column in columns]))
    unary = np.zeros(len(numbers) + int(away.sum()), dtype=np.uint8)
    unary[np.cumsum(away + 1) - 1] = 1
    return b"".join((usual.tobytes(), np.packbits(unary).tobytes(), _tails(numbers, np.maximum(digits - 1, 0))))


def _tails(numbers: Integers, lengths: Integers) -> bytes:
    """The last so many bits of each number, one after the other."""
    starts = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    return np.packbits((np.repeat(numbers, lengths) >> within & 1).astype(np.uint8), bitorder="little").tobytes()


def unpack_whole(data: bytes, lengths: Sequence[int]) -> Integers:
    """Inverse of :func:`pack_whole`: the columns one after the other.

    Raises
    ------
    EncodingError
        When the bytes do not have so many numbers.
    """
    # Methods, and differences by hand: numpy's functions of the same names take longer than the work.
    total, columns = sum(lengths), len(lengths)
    bytes_there = np.frombuffer(data, np.uint8)
    usual = bytes_there[:columns].astype(np.int64)
    ends = np.unpackbits(bytes_there[columns:]).view(np.bool_).nonzero()[0][:total]
    if len(usual) < columns or len(ends) < total:
        raise EncodingError("numbers are missing")
    away = ends.copy()
    away[1:] -= ends[:-1] + 1
    digits = usual.repeat(lengths) + whole_to_signed(away)
    if total and digits.view(np.uint64).max() > 50:  # what is less than nothing looks large
        raise EncodingError("numbers of no sane size")
    first = columns + (int(ends[-1]) // 8 + 1 if total else 0)
    return _from_tails(data[first:], digits - (digits > 0)) + (1 << digits >> 1)


def _from_tails(data: bytes, lengths: Integers) -> Integers:
    ends = lengths.cumsum()
    if len(data) != (int(ends[-1]) + 7) // 8 if len(ends) else data:
        raise EncodingError("digits of another length")
    padded = data + bytes(8)
    words: NDArray[np.uint64] = np.ndarray(len(padded) - 7, "<u8", padded, strides=(1,))  # from every byte on
    starts = (ends - lengths).astype(np.uint64)
    tails = words[starts >> np.uint64(3)] >> (starts & np.uint64(7))
    numbers: Integers = (tails & ((np.uint64(1) << lengths.astype(np.uint64)) - np.uint64(1))).astype(np.int64)
    return numbers


def signed_to_whole(numbers: Integers) -> Integers:
    """0, -1, 1, -2 ... become 0, 1, 2, 3 ..."""
    return numbers << 1 ^ numbers >> 63


def whole_to_signed(numbers: Integers) -> Integers:
    """Inverse of :func:`signed_to_whole`."""
    return numbers >> 1 ^ -(numbers & 1)

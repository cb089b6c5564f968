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
FALLING = 1 << 15
_NIBBLE = 4
_NEAR = 5
_FALLS = np.array([*range(_NEAR + 1), *(step for n in range(1, 51) for step in (-n, _NEAR + n))])
_MOST_DIGITS = 50
# Reading is a few dozen calls on short columns: looking a value up takes a fifth of the calls that work it out.
_RISES = -_FALLS
_SIGNED = np.array([-1 - code // 2 if code & 1 else code // 2 for code in range(2 * _MOST_DIGITS + 2)])
_FIRST_DIGIT = np.array([0, *(1 << digits - 1 for digits in range(1, _MOST_DIGITS + 1))])
_AFTER_FIRST = np.array([0, *range(_MOST_DIGITS)])
_LOW_BITS = np.array([(1 << bits) - 1 for bits in range(_MOST_DIGITS + 1)])


def pack_whole(columns: Sequence[Integers]) -> bytes:
    """Columns of any lengths, of numbers from 0 to below :data:`LARGEST`."""
    counts = [np.frexp(column.astype(np.float64))[1].astype(np.int64) for column in columns]
    usual = np.array([round(float(np.median(count))) if len(count) else 0 for count in counts], dtype=np.uint8)
    numbers, digits = np.concatenate(columns), np.concatenate(counts)
    away = signed_to_whole(digits - np.repeat(usual, [len(column) for column in columns]))
    return b"".join((usual.tobytes(), pack_unary(away), pack_tails(numbers, np.maximum(digits - 1, 0))))


def pack_tails(numbers: Integers, lengths: Integers) -> bytes:
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
    numbers, end = unpack_first(data, lengths)
    if end != len(data):
        raise EncodingError("digits of another length")
    return numbers


def unpack_first(data: bytes, lengths: Sequence[int]) -> tuple[Integers, int]:
    """The same of bytes that go on, and where they do; raises as :func:`unpack_whole`."""
    # Methods, and differences by hand: numpy's functions of the same names take longer than the work.
    total, columns = sum(lengths), len(lengths)
    usual = np.frombuffer(data, np.uint8, min(columns, len(data))).astype(np.int64)
    if len(usual) < columns:
        raise EncodingError("numbers are missing")
    away, first = unpack_unary(data, columns, total)
    digits = usual.repeat(lengths) + _looked_up(_SIGNED, away)
    return _of_digits(data, first, digits)


def pack_falling(numbers: Integers, groups: Integers) -> bytes:
    """Groups of so many numbers below :data:`FALLING`, of which each is mostly no longer than the one before it.

    ::

        counts of digits of the first of each group, four bits | of the others the falls, in unary | digits
    """
    digits = np.frexp(numbers.astype(np.float64))[1].astype(np.int64)
    starts = _starts(groups)
    falls = np.delete(-np.diff(digits, prepend=0), starts)
    first = pack_tails(digits[starts], np.full(len(starts), _NIBBLE))
    return b"".join((first, pack_unary(_fall_to_whole(falls)), pack_tails(numbers, np.maximum(digits - 1, 0))))


def unpack_falling(data: bytes, groups: Integers) -> Integers:
    """Inverse of :func:`pack_falling`; raises as :func:`unpack_whole`."""
    starts, total = _starts(groups), int(groups.sum())
    head = (len(starts) + 1) // 2
    first = _nibbles(data[:head], len(starts))
    codes, after = unpack_unary(data, head, total - len(starts))
    later = np.ones(total, dtype=np.bool_)
    later[starts] = False
    digits = np.zeros(total, dtype=np.int64)
    digits[later] = _looked_up(_RISES, codes)
    digits.cumsum(out=digits)
    digits += (first - digits[starts]).repeat(groups[groups > 0])
    numbers, end = _of_digits(data, after, digits)
    if end != len(data):
        raise EncodingError("digits of another length")
    return numbers


def _nibbles(data: bytes, count: int) -> Integers:
    """So many numbers of four bits."""
    if len(data) != (count + 1) // 2:
        raise EncodingError("digits of another length")
    halves = np.frombuffer(data, np.uint8)
    numbers = np.empty(2 * len(halves), dtype=np.int64)
    numbers[::2] = halves & 15
    numbers[1::2] = halves >> 4
    return numbers[:count]


def _looked_up(table: Integers, codes: Integers) -> Integers:
    try:
        found: Integers = table[codes]
    except IndexError:
        raise EncodingError("numbers of no sane size") from None
    return found


def _starts(groups: Integers) -> Integers:
    """Where each group begins that has any numbers."""
    starts: Integers = (groups.cumsum() - groups)[groups > 0]
    return starts


def _fall_to_whole(falls: Integers) -> Integers:
    """The likelier the smaller: falls of 0 to 5 are themselves, then rises and further falls take turns."""
    return np.where(falls < 0, 2 * (_NEAR - falls) - _NEAR - 1, np.where(falls > _NEAR, 2 * falls - _NEAR, falls))


def pack_unary(codes: Integers) -> bytes:
    """Of each number as many zeros and a one, filled to a byte."""
    unary = np.zeros(len(codes) + int(codes.sum()), dtype=np.uint8)
    unary[np.cumsum(codes + 1) - 1] = 1
    return np.packbits(unary).tobytes()


def unpack_unary(data: bytes, first: int, total: int) -> tuple[Integers, int]:
    """So many numbers from a byte on, and the byte after them; EncodingError when there are not so many."""
    ends = (
        np.unpackbits(np.frombuffer(data, np.uint8, offset=min(first, len(data)))).view(np.bool_).nonzero()[0][:total]
    )
    if len(ends) < total:
        raise EncodingError("numbers are missing")
    codes = ends.copy()
    codes[1:] -= ends[:-1] + 1
    return codes, first + (int(ends[-1]) // 8 + 1 if total else 0)


def _of_digits(data: bytes, first: int, digits: Integers) -> tuple[Integers, int]:
    """Numbers of so many digits, whose last ones begin at a byte; and the byte after them."""
    if len(digits) and digits.view(np.uint64).max() > _MOST_DIGITS:  # what is less than nothing looks large
        raise EncodingError("numbers of no sane size")
    lengths = _AFTER_FIRST[digits]
    ends = lengths.cumsum()
    end = first + (int(ends[-1]) + 7) // 8 if len(ends) else first
    return _tails(data[first:end], lengths, ends) + _FIRST_DIGIT[digits], end


def unpack_tails(data: bytes, lengths: Integers) -> Integers:
    """Inverse of :func:`pack_tails`; EncodingError when the bytes are not so many."""
    return _tails(data, lengths, lengths.cumsum())


def _tails(data: bytes, lengths: Integers, ends: Integers) -> Integers:
    if len(data) != (int(ends[-1]) + 7) // 8 if len(ends) else data:
        raise EncodingError("digits of another length")
    # Of the eight bytes from every byte on, at most 57 bits are looked at: that the highest is a sign does not matter.
    words: Integers = np.ndarray(len(data) + 1, "<i8", data + bytes(8), strides=(1,))
    starts = ends - lengths
    numbers: Integers = words[starts >> 3]
    numbers >>= starts & 7
    numbers &= _LOW_BITS[lengths]
    return numbers


def signed_to_whole(numbers: Integers) -> Integers:
    """0, -1, 1, -2 ... become 0, 1, 2, 3 ..."""
    return numbers << 1 ^ numbers >> 63


def whole_to_signed(numbers: Integers) -> Integers:
    """Inverse of :func:`signed_to_whole`."""
    return numbers >> 1 ^ -(numbers & 1)

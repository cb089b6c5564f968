"""Counts in the fewest bytes that a few passes of numpy find: for spectra that are sealed, and read now and then.

Differences of neighbours, zigzag, in blocks of 8 pixels by the code of Golomb and Rice (R. F. Rice, JPL 79-22, 1979):
of each number the last k bits as they are and what stands before them in unary, with a k for each block; the steps from
k to k are told in the same way, and count when the ks are chosen. The noise of a spectrum grows with its light, which
one code for all pixels cannot follow: 7 to 13 % less than byte planes under zstd
(:func:`~oesd.store.encoding.pack_counts`), which is ten times as fast and what a spectrum is stored as.

::

    "E" 0 n | unary: steps of k, zigzag; then the numbers, but their last bits | last bits, the lowest first, filled
    "D" 0 n | bytes of the ks | ks, as differences | unary | last bits      schema step 8, blocks of 16: read only
"""

from __future__ import annotations

import struct

import numpy as np

from oesd.model import CountArray
from oesd.store.encoding import EncodingError, unpack_counts, unzigzag, zigzag
from oesd.store.whole_numbers import (
    Integers,
    pack_tails,
    pack_unary,
    signed_to_whole,
    unpack_tails,
    unpack_unary,
    unpack_whole,
    whole_to_signed,
)

_HEAD = struct.Struct("<BBI")
_HEAD_BEFORE = struct.Struct("<BBIH")
_FORM, _FORM_BEFORE = b"E", b"D"
_BLOCK, _BLOCK_BEFORE = 8, 16
_MOST_BITS = 32


def denser(blob: bytes) -> bytes:
    """The blob of the same counts in the form that takes less."""
    return min(blob, pack_dense(unpack_either(blob)), key=len)


def same_counts(one: bytes, other: bytes) -> bool:
    """Whether two blobs, in whichever form, are of the same counts; ValueError when one is none."""
    return one == other or np.array_equal(unpack_either(one), unpack_either(other))


def unpack_either(blob: bytes) -> CountArray:
    """Counts from a blob of either form; read-only. EncodingError when the bytes make no sense."""
    if blob[:1] == _FORM:
        return _unpack_dense(blob)
    return _unpack_before(blob) if blob[:1] == _FORM_BEFORE else unpack_counts(blob)


def pack_dense(counts: CountArray) -> bytes:
    """Counts, shape (pixels,), as bytes."""
    steps = np.diff(counts.astype("<u4", copy=False), prepend=np.uint32(0))
    numbers = zigzag(steps.view("<i4")).astype(np.int64)
    bits = _bits_of_blocks(numbers)
    kept = np.repeat(bits, _BLOCK)[: len(numbers)]
    codes = np.concatenate((signed_to_whole(np.diff(bits, prepend=0)), numbers >> kept))
    return _HEAD.pack(_FORM[0], 0, len(numbers)) + pack_unary(codes) + pack_tails(numbers, kept)


def _bits_of_blocks(numbers: Integers) -> Integers:
    """The k of each block: the one that serves it best, then with what the steps from its neighbours and to them take.

    Every second block at a time, so that none is chosen together with its neighbour; a second round finds no byte more.
    """
    filled = np.zeros(-(-len(numbers) // _BLOCK) * _BLOCK, dtype=np.int64)
    filled[: len(numbers)] = numbers
    ks = np.arange(int(filled.max(initial=0)).bit_length() + 1)
    costs = np.array([(filled >> k).reshape(-1, _BLOCK).sum(axis=1) + _BLOCK * k for k in ks])
    best: Integers = np.argmin(costs, axis=0).astype(np.int64)
    for first in (1, 2):
        here = np.arange(first, len(best) - 1, 2)
        steps = signed_to_whole(ks[:, None] - best[here - 1]) + signed_to_whole(best[here + 1] - ks[:, None])
        best[here] = np.argmin(costs[:, here] + steps, axis=0)
    return best


def _unpack_dense(blob: bytes) -> CountArray:
    length = _length(blob, _HEAD.size)
    blocks = -(-length // _BLOCK)
    codes, after = unpack_unary(blob, _HEAD.size, blocks + length)
    kept = _kept(whole_to_signed(codes[:blocks]).cumsum(), _BLOCK, length)
    return _counts(codes[blocks:], kept, blob[after:])


def _unpack_before(blob: bytes) -> CountArray:
    length = _length(blob, _HEAD_BEFORE.size)
    first = _HEAD_BEFORE.size + int(_HEAD_BEFORE.unpack_from(blob)[3])
    bits = whole_to_signed(unpack_whole(blob[_HEAD_BEFORE.size : first], [-(-length // _BLOCK_BEFORE)])).cumsum()
    kept = _kept(bits, _BLOCK_BEFORE, length)
    rest, after = unpack_unary(blob, first, length)
    return _counts(rest, kept, blob[after:])


def _length(blob: bytes, head_bytes: int) -> int:
    """Number of pixels: each has a bit at least."""
    if len(blob) < head_bytes:
        raise EncodingError("too short")
    length = int(_HEAD.unpack_from(blob)[2])
    if length > 8 * len(blob):
        raise EncodingError("more pixels than bits")
    return length


def _kept(bits: Integers, block: int, length: int) -> Integers:
    """How many bits of each number are as they are."""
    if length and not 0 <= bits.min() <= bits.max() <= _MOST_BITS:
        raise EncodingError("numbers of no sane size")
    return bits.repeat(block)[:length]


def _counts(rest: Integers, kept: Integers, tails: bytes) -> CountArray:
    numbers = (rest << kept) + unpack_tails(tails, kept)
    if len(numbers) and numbers.max() >= 1 << _MOST_BITS:
        raise EncodingError("numbers of no sane size")
    counts = np.cumsum(unzigzag(numbers.astype("<u4")).view("<u4"), dtype=np.uint32)
    counts.setflags(write=False)
    return counts

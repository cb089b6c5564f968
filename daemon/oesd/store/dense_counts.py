"""Counts in the fewest bytes that a few passes of numpy find: for spectra that are sealed, and read now and then.

Differences of neighbours, zigzag, in blocks of 16 pixels by the code of Golomb and Rice (R. F. Rice, JPL 79-22, 1979):
of each number the last k bits as they are and what stands before them in unary, with the k that serves its block best.
The noise of a spectrum grows with its light, which one code for all pixels cannot follow: 6 to 13 % less than byte
planes under zstd (:func:`~oesd.store.encoding.pack_counts`), which is thrice as fast and what a spectrum is stored as.

::

    "D" 0 n | bytes of the ks | ks, as differences | unary, filled to a byte | last bits, the lowest first, filled
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
    pack_whole,
    signed_to_whole,
    unpack_tails,
    unpack_unary,
    unpack_whole,
    whole_to_signed,
)

_HEAD = struct.Struct("<BBIH")
_FORM = b"D"
_BLOCK = 16
_MOST_BITS = 32


def denser(blob: bytes) -> bytes:
    """The blob of the same counts in the form that takes less."""
    return min(blob, pack_dense(unpack_either(blob)), key=len)


def same_counts(one: bytes, other: bytes) -> bool:
    """Whether two blobs, in whichever form, are of the same counts; ValueError when one is none."""
    return one == other or np.array_equal(unpack_either(one), unpack_either(other))


def unpack_either(blob: bytes) -> CountArray:
    """Counts from a blob of either form; read-only. EncodingError when the bytes make no sense."""
    return _unpack_dense(blob) if blob[:1] == _FORM else unpack_counts(blob)


def pack_dense(counts: CountArray) -> bytes:
    """Counts, shape (pixels,), as bytes."""
    steps = np.diff(counts.astype("<u4", copy=False), prepend=np.uint32(0))
    numbers = zigzag(steps.view("<i4")).astype(np.int64)
    bits = _best_bits(numbers)
    kept = np.repeat(bits, _BLOCK)[: len(numbers)]
    rest = numbers >> kept
    told = pack_whole([signed_to_whole(np.diff(bits, prepend=0))])
    head = _HEAD.pack(_FORM[0], 0, len(numbers), len(told))
    return b"".join((head, told, pack_unary(rest), pack_tails(numbers, kept)))


def _best_bits(numbers: Integers) -> Integers:
    """The k of each block."""
    filled = np.zeros(-(-len(numbers) // _BLOCK) * _BLOCK, dtype=np.int64)
    filled[: len(numbers)] = numbers
    most = int(filled.max(initial=0)).bit_length()
    costs = [(filled >> k).reshape(-1, _BLOCK).sum(axis=1) + _BLOCK * k for k in range(most + 1)]
    best: Integers = np.argmin(costs, axis=0).astype(np.int64)
    return best


def _unpack_dense(blob: bytes) -> CountArray:
    if len(blob) < _HEAD.size:
        raise EncodingError("too short")
    form, _, length, told = _HEAD.unpack_from(blob)
    if form != _FORM[0] or length > 8 * len(blob):
        raise EncodingError("unknown form")
    first = _HEAD.size + told
    bits = whole_to_signed(unpack_whole(blob[_HEAD.size : first], [-(-length // _BLOCK)])).cumsum()
    if length and not 0 <= bits.min() <= bits.max() <= _MOST_BITS:
        raise EncodingError("numbers of no sane size")
    kept = bits.repeat(_BLOCK)[:length]
    rest, after = unpack_unary(blob, first, length)
    numbers = (rest << kept) + unpack_tails(blob[after:], kept)
    if length and numbers.max() >= 1 << _MOST_BITS:
        raise EncodingError("numbers of no sane size")
    counts = np.cumsum(unzigzag(numbers.astype("<u4")).view("<u4"), dtype=np.uint32)
    counts.setflags(write=False)
    return counts

"""Named values and named array blobs as one blob: ``length | zstd( JSON ) | blob | blob ...``.

The highest bit of the length tells that the words are of the later form.

JSON as Python writes it: floats come back bit for bit, infinities and NaN too.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from oesd.store.encoding import EncodingError
from oesd.store.words import pack_words, unpack_words, unpack_words_before

_LENGTH = struct.Struct("<I")
_LATER = 1 << 31


def pack_bundle(values: Mapping[str, Any], arrays: Mapping[str, bytes]) -> bytes:
    """Put JSON-ready values and blobs together."""
    lengths = {name: len(blob) for name, blob in arrays.items()}
    head = pack_words(json.dumps([values, lengths], separators=(",", ":")).encode())
    return b"".join([_LENGTH.pack(len(head) | _LATER), head, *arrays.values()])


def unpack_bundle(bundle: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Inverse of :func:`pack_bundle`.

    Raises
    ------
    ValueError
        When the bytes are no bundle.
    """
    if len(bundle) < _LENGTH.size:
        raise EncodingError("too short")
    (told,) = _LENGTH.unpack_from(bundle)
    head, unpack = told & ~_LATER, unpack_words if told & _LATER else unpack_words_before
    values, lengths = json.loads(unpack(bundle[_LENGTH.size : _LENGTH.size + head]))
    ends = list(accumulate(lengths.values(), initial=_LENGTH.size + head))
    if ends[-1] != len(bundle):
        raise EncodingError("bundle of another length")
    return values, {name: bundle[a:b] for name, a, b in zip(lengths, ends[:-1], ends[1:], strict=True)}

"""From the bytes of a spectrum to the counts the ADC gave, for every family.

pyseabreeze's own ``get_intensities`` scales counts to full range, gives floats and never looks at the sync byte; these
are the same byte orders (``seabreeze/pyseabreeze/features/spectrometer.py``) without that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import Reopen

SYNC_BYTE = 0x69
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """How a spectrum lies in its bytes.

    Attributes
    ----------
    skip : int
        Bytes of metadata before the first pixel.
    width : int
        Bytes of a pixel, little endian.
    sync : bool
        One byte 0x69 follows the pixels.
    flip : int
        Pixels are XORed with this: an ADC that counts from the middle.
    interleaved : bool
        Blocks of 64 low bytes, then 64 high bytes.
    mask : int
        Bits of a pixel that count.
    bits : int
        Of the ADC, where a word has more: a larger number is no count, and sums of such would wrap round unseen.
    """

    skip: int = 0
    width: int = 2
    sync: bool = False
    flip: int = 0
    interleaved: bool = False
    mask: int = 0xFFFFFFFF
    bits: int = 32

    def size(self, words: int) -> int:
        """Bytes of a whole spectrum of so many pixels, those that mean nothing included."""
        return self.skip + words * self.width + self.sync


def decode(raw: bytes, layout: Layout, pixels: int) -> NDArray[np.uint32]:
    """Counts of one scan, shape (pixels,).

    Raises
    ------
    Reopen
        The length, the sync byte or a count is wrong: this is not, or not only, the spectrum that was asked for.
    """
    if len(raw) != layout.size(pixels):
        raise Reopen(f"a spectrum of {len(raw)} bytes came where {layout.size(pixels)} were due")
    if layout.sync and raw[-1] != SYNC_BYTE:
        raise Reopen(f"the sync byte of a spectrum is 0x{raw[-1]:02x}, not 0x{SYNC_BYTE:02x}")
    body = np.frombuffer(raw, dtype=np.uint8, offset=layout.skip, count=pixels * layout.width)
    if layout.interleaved:
        body = np.ascontiguousarray(body.reshape(-1, 2, _BLOCK).transpose(0, 2, 1)).reshape(-1)
    words = body.view(np.dtype(f"<u{layout.width}")).astype(np.uint32)
    counts = (words & np.uint32(layout.mask)) ^ np.uint32(layout.flip)
    if layout.bits < 32 and int(counts.max()) >> layout.bits:
        raise Reopen(f"a pixel of {int(counts.max())} counts came from an ADC of {layout.bits} bits")
    return counts

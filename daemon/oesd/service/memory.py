"""The allocator's settings for a process that lives for months in little memory."""

from __future__ import annotations

import ctypes

# mallopt(3). Without them glibc keeps an arena for each of a dozen threads and raises its mmap threshold to the size of
# the largest array ever freed, so that each spectrum's arrays stay with the process: 9 MB more for the engine alone.
# Lower thresholds save little more and cost the analysis a page fault for each array: 46 ms instead of 25 at 64 kB.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_MB = 1024 * 1024
_SETTINGS = ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _MB), (_M_TRIM_THRESHOLD, _MB))


def give_back() -> None:
    """Have the allocator return what is free between what is used: a dark model's fit leaves 10 MB of holes."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def stay_small() -> None:
    """Have freed memory go back to the system; does nothing where the C library has no mallopt."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting, value in _SETTINGS:
            mallopt(setting, value)

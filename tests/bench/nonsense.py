"""Random nonsense into the engine: no crash, no NaN, no warning.

    python -m tests.bench.nonsense [COUNT] [--seed S] [--jobs J]

Prints the first of every kind of failure (``tests.support.nonsense.nonsense(seed, number)`` makes it again) and how
many there were, and how far it is; exit status 1 if any. 100,000 take about twenty minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from tests.support.nonsense import nonsense, numbers_of

import oesd


def failure(number: int, seed: int) -> str:
    """What went wrong with this one; empty when nothing did."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = oesd.analyze(**nonsense(seed, number))
        except Exception as error:
            frame = error.__traceback__
            while frame is not None and frame.tb_next is not None:
                frame = frame.tb_next
            where = f"{frame.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}" if frame else ""
            return f"{type(error).__name__} {where}: {error}"
    return "" if np.isfinite(numbers_of(result)).all() else "a number that is not finite"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    begin, kinds = time.monotonic(), Counter[str]()
    with ProcessPoolExecutor(asked.jobs) as pool:
        for number, what in enumerate(pool.map(partial(failure, seed=asked.seed), range(asked.count), chunksize=50)):
            if what:
                kinds[what] += 1
                if kinds[what] == 1:
                    print(f"seed {asked.seed} number {number}: {what}", flush=True)
            if number % 10_000 == 9_999:
                print(f"{number + 1} done, {kinds.total()} failures", flush=True)
    for what, count in kinds.most_common():
        print(f"{count:7} {what}")
    print(f"{asked.count} spectra, {kinds.total()} failures, {time.monotonic() - begin:.0f} s")
    return int(bool(kinds))


if __name__ == "__main__":
    sys.exit(main())

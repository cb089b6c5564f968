"""How much the element names need the line table to be right: scores with a table made worse.

Run from the repository's root: ``python -m tests.bench.knowledge``. A copy of the package with line strengths scattered
by 0.3 dex and a fifth of the lines taken out of its table runs the identification benchmark; no code is replaced.
The goal: element F1 of the practice cases falls by at most 0.08.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SCATTER_DEX, REMOVED = 0.3, 0.2
LINES = "engine/data/lines.npz"


def worsened(arrays: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """The table with a share of its lines removed, and strengths of the others scattered."""
    rng = np.random.default_rng(seed)
    count = len(arrays["wl_air_nm"])
    kept = rng.random(count) >= REMOVED
    factor = 10.0 ** (SCATTER_DEX * rng.standard_normal(count))
    scattered = dict(arrays)
    scattered["aki_s1"] = (arrays["aki_s1"] * factor).astype(arrays["aki_s1"].dtype)
    scattered["intens"] = (arrays["intens"] * factor).astype(arrays["intens"].dtype)
    return {
        name: values[kept] if values.ndim and len(values) == count else values for name, values in scattered.items()
    }


def element_f1(package: Path) -> list[float]:
    """F1 of every set as the package at this path names its elements, in a process of its own."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(package), str(ROOT / "drivers"), str(ROOT)]))
    printed = subprocess.run(  # the interpreter that runs this, on a path made here
        [sys.executable, "-m", "tests.bench.identification", "--cases", "80"],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    row = next(line for line in printed.splitlines() if line.startswith("element F1"))
    return [float(x) for x in re.findall(r"(\d\.\d+) [+~!]", row)]


def main() -> None:
    whole = element_f1(ROOT / "daemon")
    print("practice (where at hand), thin, hard")
    print("element F1 with the table as it is   " + "  ".join(f"{x:.3f}" for x in whole))
    for seed in range(3):
        with tempfile.TemporaryDirectory() as directory:
            shutil.copytree(ROOT / "daemon" / "oesd", Path(directory) / "oesd")
            with np.load(Path(directory) / "oesd" / LINES, allow_pickle=False) as packed:
                arrays = {name: packed[name] for name in packed.files}
            np.savez_compressed(Path(directory) / "oesd" / LINES, **worsened(arrays, seed))
            worse = element_f1(Path(directory))
        change = "  ".join(f"{x:.3f} ({x - y:+.3f})" for x, y in zip(worse, whole, strict=True))
        print(f"scattered and thinned, seed {seed}: {change}")


if __name__ == "__main__":
    main()

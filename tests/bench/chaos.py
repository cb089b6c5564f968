"""Kills, power cuts and full disks in numbers: the promises of the store as a table.

    python -m tests.bench.chaos [--kills 1000] [--cuts 5000] [--sealing-cuts 5000 --every-call 1]
                                [--steps 10000 --seeds 50]

A kill: a process that stores, analyses, names, uploads and lets go is ended by SIGKILL at a random moment; the next one
opens what it left. A cut: the writes and syncs of a run are written down, and the files made as a power cut at a random
moment leaves them - synced writes whole, of the others any sectors in any order, some torn. The laws: whatever a state
machine does to a store with a filling disk and a jumping clock, nothing goes that may not. Status 1 when anything was
lost or served wrong.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.daemon.store.test_crash import check, check_sums, killed_after
from tests.daemon.store.test_inspection import inspected
from tests.daemon.store.test_keeping_laws import walked
from tests.daemon.store.test_power import Cuts, work
from tests.daemon.store.test_sealing_power import Tries, after_cuts, after_kills, to_be_sealed
from tests.support.recording_disk import RecordingDisk
from tests.support.recording_vfs import recorded

from oesd.store import Store, StoreError

SEED = 20261122


def row(what: str, number: object, wanted: str = "") -> None:
    """Print one line of the table; a wanted "0" or "n/n" is a goal."""
    verdict = "" if not wanted or wanted == "any" else "holds" if str(number) == wanted else "MISSED"
    print(f"{what:62} {number!s:>12}  {verdict:6}  {wanted}", flush=True)


def kills(directory: Path, number: int) -> int:
    """Kill so often; returns what was wrong."""
    command = [sys.executable, "-m", "tests.daemon.store.crash_writer", str(directory)]
    chance, told, wrong, said = Random(SEED), Counter[str](), Counter[str](), []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        for _ in range(number):
            latest = killed_after(server, chance.randrange(0, 60), chance.random() * 0.01)
            told.update(words[0] for words in latest)
            said += latest
            try:
                with Store.open(directory) as store:
                    told["starts"] += 1
                    check_sums(store, said[-2000:])
                    check(store, said[-200:])
            except StoreError:
                wrong["starts refused"] += 1
            except AssertionError:
                wrong["lost, torn or not adding up"] += 1
        assert server.stdin is not None
        server.stdin.close()
    with Store.open(directory) as store:
        try:
            check(store, said)
        except AssertionError:
            wrong["lost in the end"] += 1
        rows = store.tally()
    row("kills", number)
    row("spectra acknowledged", told["sample"])
    row("durable, not acknowledged (saved again they are once)", rows.stored - told["sample"], "any")
    row("results, choices, confirmations acknowledged", told["result"] + told["override"] + told["confirmed"])
    row("let go with a tombstone", sum(rows.tombstoned.values()))
    row("starts", f"{told['starts']}/{number}", f"{number}/{number}")
    row("findings of oesd verify in the end", len(inspected(directory)), "0")
    for what in ("starts refused", "lost, torn or not adding up", "lost in the end"):
        row(what, wrong[what], "0")
    return sum(wrong.values())


def cuts(directory: Path, number: int) -> int:
    """Cut the power so often; returns what was wrong."""
    cut = Cuts()
    with recorded() as disk:
        with Store.open(directory / "data") as store:
            for _ in range(3):
                work(store, lambda sample: cut.known.append((len(disk.events), sample)))
        cut.events = list(disk.events)
    wrong = cut.survived(directory / "cut", number, Random(SEED))
    row("power cuts", number)
    row("calls of the disk written down", len(cut.events))
    row("lost or served wrong after a cut", len(wrong), "0")
    for text in wrong[:10]:
        print("   ", text)
    return len(wrong)


def sealing(directory: Path, number: int, every: int) -> int:
    """Cut the power so often while spectra are sealed, and kill at each so-manieth call; returns what was wrong."""
    wrong = list(after_cuts(directory / "cuts", RecordingDisk, number, Random(SEED)))
    row("power cuts while spectra are sealed, let go, written anew", number)
    killed = 0
    command = [sys.executable, "-m", "tests.daemon.store.sealing_killer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        for anew in (False, True):
            place = directory / f"anew-{anew}"
            place.mkdir()
            tries = Tries(every)
            wrong += after_kills(place, server, to_be_sealed(place / "data", anew=anew), tries)
            killed += tries.made
        assert server.stdin is not None
        server.stdin.close()
    row("kills at the calls of sealing, each before one and after the last", killed)
    row("lost, served wrong or left over", len(wrong), "0")
    for text in wrong[:10]:
        print("   ", text)
    return len(wrong)


def laws(steps: int, seeds: int) -> None:
    """Walk through the laws of retention."""
    gone = sum(walked(seed, steps) for seed in range(seeds))
    row("laws of retention: steps x seeds, no law broken", f"{steps} x {seeds}")
    row("let go on these walks", gone)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Kills, power cuts and full disks in numbers.")
    usual = {"kills": 1000, "cuts": 5000, "sealing-cuts": 5000, "every-call": 1, "steps": 0, "seeds": 50}
    for name, number in usual.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    asked = parser.parse_args()
    began, wrong = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        if asked.kills:
            wrong += kills(Path(folder) / "killed", asked.kills)
        if asked.cuts:
            wrong += cuts(Path(folder), asked.cuts)
        if asked.sealing_cuts:
            wrong += sealing(Path(folder), asked.sealing_cuts, asked.every_call)
    if asked.steps:
        laws(asked.steps, asked.seeds)
    row("seconds", round(time.monotonic() - began))
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())

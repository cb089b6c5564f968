"""The fault matrix: every fault of tests/support/fault_catalogue.py, on every family, so many times each.

    python -m tests.bench.faults [--trials 20] [--quick] [--families A,B] [--faults A,B] [--seed 1] [--jobs 2]

Each trial strikes a spectrometer that measures (discovery, unit, worker process, virtual bus in a process of its own),
waits for good data, and holds every capture stored meanwhile against what the virtual devices really made. The families
of a job measure all the time and are struck at the same time as each other; beside them measures a neighbour that is
never struck and must lose no slot. Ends with status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from tests.support.fault_catalogue import CASES, FAMILIES
from tests.support.fault_rig import NEIGHBOUR_SERIAL, rig
from tests.support.fault_trials import Outcome, run_trial

from oesd_drivers.virtual import MODELS

_QUICK_TRIALS = 2
_PROGRESS_S = 10.0
_MOST_REMARKS = 60
_COLUMNS = ("stale", "foreign", "duplicate", "wrong", "marked", "neighbour")


@dataclass
class Results:
    """What came of all trials so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, line: str) -> None:
        """Take over a line of a job."""
        told = json.loads(line)
        with self.lock:
            if "complaint" in told:
                self.complaints.append(told["complaint"])
            else:
                self.outcomes.append(Outcome(**told))


def plan(families: Sequence[str], cases: Sequence[str], trials: int) -> dict[str, list[tuple[str, int]]]:
    """Trials of each family: every fault that applies to it, so many times."""
    return {
        family: [(case, trial) for case in cases if CASES[case].applies(MODELS[family]) for trial in range(trials)]
        for family in families
    }


# -- a job: some families in one process -----------------------------------------------------------------------------


def run_job(options: argparse.Namespace) -> None:
    """Run the trials of some families, all families at once, and tell each outcome on a line of standard output."""
    logging.disable(logging.CRITICAL)
    speaking = threading.Lock()

    def tell(line: dict[str, object]) -> None:
        with speaking:
            print(json.dumps(line), flush=True)

    with rig(options.families, options.seed) as made:

        def run_family(family: str, trials: list[tuple[str, int]]) -> None:
            random.Random(f"{options.seed}/{family}").shuffle(trials)
            for case, trial in trials:
                try:
                    tell(asdict(run_trial(made, family, case, trial, options.seed)))
                except Exception as error:
                    # The top of a thread: the job goes on, and the run ends with status 1.
                    tell({"complaint": f"{family}, {case}, trial {trial}: {error!r}"})

        planned = plan(options.families, options.faults, options.trials).items()
        threads = [threading.Thread(target=run_family, args=each) for each in planned]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_PROGRESS_S)
                bad = {word: n for word, n in made.judge(NEIGHBOUR_SERIAL).items() if word != "good"}
                if bad:
                    tell({"complaint": f"the neighbour stored {bad}"})
    for fault in made.records.ledger_faults():
        tell({"complaint": f"the ledger does not add up: {fault}"})


def start_jobs(options: argparse.Namespace, results: Results) -> list[threading.Thread]:
    """Start a process per job and a thread that reads it; families are dealt like cards."""
    threads = []
    for number in range(options.jobs):
        families = options.families[number :: options.jobs]
        if families:
            thread = threading.Thread(target=_read_job, args=(options, families, results))
            thread.start()
            threads.append(thread)
    return threads


def _read_job(options: argparse.Namespace, families: list[str], results: Results) -> None:
    command = [
        sys.executable, "-m", "tests.bench.faults", "--job", "--families", ",".join(families), "--faults",
        ",".join(options.faults), "--trials", str(options.trials), "--seed", str(options.seed),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        for line in job.stdout:
            results.take(line)
    if job.returncode:
        results.complaints.append(f"the job of {', '.join(families)} ended with status {job.returncode}")


# -- the table -------------------------------------------------------------------------------------------------------


def rows(results: Results) -> Iterator[tuple[str, list[Outcome]]]:
    """Outcomes of each fault, in the catalogue's order."""
    by_case: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in results.outcomes:
        by_case[outcome.case].append(outcome)
    return ((case, by_case[case]) for case in CASES if by_case[case])


def line_of(case: str, outcomes: list[Outcome]) -> str:
    """One line of the table."""
    times_s = [outcome.back_s for outcome in outcomes if outcome.back_s is not None]
    median, worst = (f"{statistics.median(times_s):.2f}", f"{max(times_s):.2f}") if times_s else ("-", "-")
    sums = [sum(getattr(outcome, column) for outcome in outcomes) for column in _COLUMNS]
    numbers = "".join(f"{number:>10}" for number in sums)
    return f"{case:24}{len(outcomes):>7}{len(times_s):>10}{median:>8}{worst:>8}{CASES[case].goal_s:>6.0f}{numbers}"


def missed(results: Results, planned: int) -> list[str]:
    """Goals that were not met, one line each."""
    lines = list(results.complaints)
    if len(results.outcomes) < planned:
        lines.append(f"{planned - len(results.outcomes)} of {planned} trials told nothing")
    for case, outcomes in rows(results):
        times_s = [outcome.back_s for outcome in outcomes if outcome.back_s is not None]
        if times_s and statistics.median(times_s) > CASES[case].goal_s:
            lines.append(f"{case}: the median time back is {statistics.median(times_s):.2f} s")
    lines += [f"{each.family}, {each.case}, trial {each.trial}: {_trouble(each)}" for each in _unclean(results)]
    return lines


def _unclean(results: Results) -> list[Outcome]:
    return [outcome for outcome in results.outcomes if not outcome.clean]


def _trouble(outcome: Outcome) -> str:
    counted = [f"{getattr(outcome, name)} {name}" for name in _COLUMNS if name != "marked" and getattr(outcome, name)]
    return "; ".join((["not recovered"] if outcome.back_s is None else []) + counted + [outcome.remark])


def print_table(results: Results) -> None:
    """Print the matrix, a fault a line, and what failed by family."""
    heads = "".join(f"{column:>10}" for column in _COLUMNS)
    print(f"{'fault':24}{'trials':>7}{'recovered':>10}{'median':>8}{'worst':>8}{'goal':>6}{heads}")
    for case, outcomes in rows(results):
        print(line_of(case, outcomes))
    failures: dict[str, int] = defaultdict(int)
    for outcome in _unclean(results):
        failures[outcome.family] += 1
    if failures:
        print("failed by family: " + ", ".join(f"{family} {number}" for family, number in sorted(failures.items())))


# -- the command -----------------------------------------------------------------------------------------------------


def arguments() -> argparse.Namespace:
    """What was asked for; unknown names end with status 2."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20, help="of each fault on each family")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_TRIALS} trials")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--faults", default=",".join(CASES))
    parser.add_argument("--seed", type=int, default=1, help="same seed, same strikes")
    parser.add_argument("--jobs", type=int, default=2, help="processes that share the families")
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.families, options.faults = options.families.split(","), options.faults.split(",")
    options.trials = _QUICK_TRIALS if options.quick else options.trials
    for given, known in ((options.families, FAMILIES), (options.faults, CASES)):
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    return options


def main() -> int:
    """Run the matrix; 1 when a goal is missed."""
    options = arguments()
    if options.job:
        run_job(options)
        return 0
    results, began_s = Results(), time.monotonic()
    planned = sum(map(len, plan(options.families, options.faults, options.trials).values()))
    for thread in start_jobs(options, results):
        while thread.is_alive():
            thread.join(_PROGRESS_S)
            done, minutes = len(results.outcomes), (time.monotonic() - began_s) / 60
            said = f"{done} of {planned} trials, {len(_unclean(results))} failed, {minutes:.1f} min"
            print(said, file=sys.stderr, flush=True)
    print_table(results)
    lines = missed(results, planned)
    print(f"{len(lines)} goals missed in {planned} trials, {(time.monotonic() - began_s) / 60:.1f} min")
    for line in lines[:_MOST_REMARKS]:
        print(f"  {line}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run against golden run: species found in either, measured by their own lines in both, at the same times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from oesd.model import Peak, RunRecord
from oesd.processing.readings import Readings, catalogue
from oesd.service.run_spectra import NO_TURN, RunSpectrum, Turn, find_run, spectra_of
from oesd.service.watch_documents import number
from oesd.store.named_reading import NamedReading
from oesd.store.reading import Reading as StoreReader
from oesd.watching.alignment import Alignment, aligned
from oesd.watching.comparison import Course, Difference, compared_runs, paired
from oesd.watching.errors import WatchError
from oesd.watching.grammar import BuiltIn, Formula, parse, terms, text_of
from oesd.watching.plan import check

MOST = 150
"""Spectra of each run that are looked at, evenly chosen."""
_LINES = 3
_OFTEN = 0.1
"""Share of the spectra of a run in which a species must be found."""
_FEWEST = 4


def compare(
    reader: StoreReader,
    run: RunRecord,
    golden: RunRecord,
    by: Formula | None = None,
    most: int = MOST,
    turn: Turn = NO_TURN,
) -> dict[str, Any]:
    """Compare two runs; JSON-ready.

    Parameters
    ----------
    by : Formula or None
        The trace by which they are laid over each other; all light when None.
    most : int
        Spectra of each run that are looked at.
    turn : context manager
        Held while a spectrum is read or measured.

    Raises
    ------
    WatchError
        When a run has too few spectra with results.
    """
    measure = partial(_course, Readings(()), turn)
    both = [list(spectra_of(reader, one, most, turn)) for one in (run, golden)]
    for one, spectra in zip((run, golden), both, strict=True):
        if len(spectra) < _FEWEST:
            raise WatchError(f"run {one.run_id} of {one.device_name} has {len(spectra)} spectra with results: too few")
    formulas = _formulas(_species(both))
    alignment = _aligned([measure(by or BuiltIn("light"), spectra) for spectra in both], by or BuiltIn("light"))
    courses = {name: (measure(formula, both[0]), measure(formula, both[1])) for name, formula in formulas.items()}
    differences = compared_runs(courses, alignment.shift_s)
    return _document(run, golden, alignment, differences, courses, formulas)


def compare_stored(reader: StoreReader, run: str, golden: str, device: str, by: str = "") -> dict[str, Any]:
    """Compare runs by what a person writes for them.

    Raises
    ------
    WatchError
        When one of them is not there, or ``by`` is neither a trace nor a formula.
    """
    mine = find_run(reader, run, device)
    theirs = find_run(reader, golden, mine.device_name)
    return compare(reader, mine, theirs, _stored_formula(reader, by) if by else None)


def _stored_formula(reader: StoreReader, by: str) -> Formula:
    """Formula of a trace that was ever stored, as it was defined last, or of a text."""
    trace = NamedReading(reader).find(by)
    formula = parse(by if trace is None else trace.definition)
    check(formula, catalogue())
    return formula


def _species(both: Sequence[Sequence[RunSpectrum]]) -> dict[str, list[str]]:
    """Species that are found often enough in either run, with the keys of their best lines."""
    seen: Counter[str] = Counter()
    strengths: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for spectra in both:
        own: Counter[str] = Counter()
        for spectrum in spectra:
            analysis = spectrum.result.analysis
            own.update({finding.element for finding in (*analysis.elements, *analysis.molecules)})
            for peak in analysis.detected_peaks:
                key = _own_line(peak)
                if key is not None and peak.element is not None:
                    strengths[peak.element][key].append(peak.snr)
        for name, times in own.items():
            if times >= max(2.0, _OFTEN * len(spectra)):
                seen[name] += times
    return {name: _best(strengths.get(name, {})) for name in sorted(seen)}


def _formulas(species: Mapping[str, Sequence[str]]) -> dict[str, Formula]:
    """What is measured of each: its lines as they were seen, else those it is known by; nothing where it has none."""
    found: dict[str, Formula] = {}
    for name, keys in species.items():
        known = [key for key in keys if _is_known(key)]
        written = " + ".join(known) or (name if _is_known(name) else "")
        if written:
            found[name] = parse(written)
    return found


def _is_known(written: str) -> bool:
    try:
        check(parse(written), catalogue())
    except WatchError:
        return False
    return True


def _own_line(peak: Peak) -> str | None:
    """Key of the line of a peak that is one element's alone."""
    if peak.element is None or peak.blended or peak.saturated or peak.ambiguous:
        return None
    return peak.line_key


def _best(strengths: Mapping[str, Sequence[float]]) -> list[str]:
    """Lines that are seen strongest and most often, apart from each other."""
    ranked = sorted(strengths, key=lambda key: -float(np.sum(strengths[key])))
    chosen: list[str] = []
    for key in ranked:
        nm = float(key.rpartition("_")[2])
        if all(abs(nm - float(other.rpartition("_")[2])) > 3.0 for other in chosen):
            chosen.append(key)
        if len(chosen) == _LINES:
            break
    return chosen


def _aligned(courses: Sequence[Course], by: Formula) -> Alignment:
    pairs = []
    for course in courses:
        usable = np.isfinite(course.value)
        pairs += [course.times_s[usable], course.value[usable]]
    return aligned(pairs[0], pairs[1], pairs[2], pairs[3], text_of(by))


def _course(readings: Readings, turn: Turn, formula: Formula, spectra: Sequence[RunSpectrum]) -> Course:
    times, values, sigmas = [], [], []
    for spectrum in spectra:
        with turn:
            one = readings.reading(formula, spectrum.measurement, spectrum.result.analysis)
        times.append(spectrum.run_s)
        values.append(one.value if one.usable else np.nan)
        sigmas.append(one.sigma if one.usable else np.nan)
    return Course(np.array(times), np.array(values), np.array(sigmas))


def _document(
    run: RunRecord,
    golden: RunRecord,
    alignment: Alignment,
    differences: Sequence[Difference],
    courses: Mapping[str, tuple[Course, Course]],
    formulas: Mapping[str, Formula],
) -> dict[str, Any]:
    different = [one for one in differences if one.different]
    times = courses[differences[0].species][0].times_s if differences else np.zeros(0)
    return {
        "run": run.run_id,
        "golden": golden.run_id,
        "device": run.device_name,
        "aligned": asdict(alignment),
        "species": [_told(one, formulas[one.species]) for one in differences],
        "sentence": _sentence(different, len(differences)),
        "times_s": times.tolist(),
        "series": {name: _series(*pair, alignment.shift_s, times.tolist()) for name, pair in courses.items()},
        "notes": _notes(formulas, differences),
    }


def _told(one: Difference, formula: Formula) -> dict[str, Any]:
    shown = {name: number(value) if isinstance(value, float) else value for name, value in asdict(one).items()}
    return {**shown, "lines": [text_of(term) for term in terms(formula)]}


def _series(run: Course, golden: Course, shift_s: float, times: Sequence[float]) -> dict[str, list[float | None]]:
    """Values of the run, and of the golden one at the same times; None where one of them has none."""
    at, _, expected, _ = paired(run, golden, shift_s)
    laid = dict(zip(at.tolist(), expected.tolist(), strict=True))
    return {"run": [number(value) for value in run.value.tolist()], "golden": [number(laid.get(t)) for t in times]}


def _sentence(different: Sequence[Difference], species: int) -> str:
    if not species:
        return "no species is found often enough in either run"
    if not different:
        return f"as the golden run: none of {species} species differs"
    return f"{len(different)} of {species} species differ: " + "; ".join(one.sentence for one in different[:3])


def _notes(formulas: Mapping[str, Formula], differences: Sequence[Difference]) -> list[str]:
    missing = sorted(set(formulas) - {one.species for one in differences})
    return [f"{', '.join(missing)}: too few values to compare"] if missing else []

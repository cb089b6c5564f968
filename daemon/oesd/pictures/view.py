"""What a picture of a result shows, before anything is drawn: curves, marks, bands, and the words beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from oesd.model import FloatArray

_SURE = 0.995
_STAGES = ("", "I", "II", "III", "IV", "V")
#: How far beside a band's head its shade reaches, line widths.
_BAND_FWHM = 1.5
#: Peaks of each name that are labelled before the brighter ones of other names.
_OF_EACH_NAME = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """A peak: where its top is, what it is called, and what a person may want to know of it.

    ``top`` is in counts, ``height`` above the baseline.
    """

    peak_id: str
    nm: float
    top: float
    height: float
    name: str | None
    label: str
    detail: tuple[str, ...]
    ambiguous: bool = False
    saturated: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """A line that an element lets expect and that is not there: how high its top would be, counts."""

    nm: float
    top: float
    height: float
    element: str
    detail: str


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the spectrum that belongs to a molecule."""

    low_nm: float
    high_nm: float
    name: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a name is claimed, or nearly was."""

    name: str
    chance: str
    claimed: bool
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """All that a picture shows; counts are dark-corrected, shape (pixels,), NaN where there is no value."""

    title: str
    findings: tuple[str, ...]
    facts: tuple[str, ...]
    nm: FloatArray
    counts: FloatArray
    baseline: FloatArray | None
    marks: tuple[Mark, ...]
    missing: tuple[Missing, ...]
    bands: tuple[Band, ...]
    reasons: tuple[Reason, ...]

    @property
    def ranked(self) -> tuple[Mark, ...]:
        """Marks in the order in which they are to be labelled: of each name the brightest first, unnamed ones last."""
        rank: dict[str, int] = {}
        keyed = []
        for mark in sorted(self.marks, key=lambda mark: -mark.height):
            name = mark.name or ("?" if mark.ambiguous else "")
            rank[name] = rank.get(name, 0) + 1
            keyed.append((not name, rank[name] > _OF_EACH_NAME, -mark.height, mark.nm, mark))
        return tuple(item[-1] for item in sorted(keyed, key=lambda item: item[:4]))

    @property
    def net(self) -> FloatArray:
        """Counts above the baseline."""
        return self.counts if self.baseline is None else self.counts - self.baseline

    @property
    def names(self) -> tuple[str, ...]:
        """Names on the picture, the one with the brightest peak first: what gets a colour."""
        ranked = sorted(self.marks, key=lambda mark: -mark.height)
        claimed = (mark.name for mark in ranked if mark.name)
        return tuple(dict.fromkeys((*claimed, *(one.element for one in self.missing))))


def view_of(document: Mapping[str, Any], explained: Mapping[str, Any], title: str) -> View:
    """Arrange a GET /oes document and its evidence for drawing."""
    nm, counts = _numbers(document["wavelengths"]), _numbers(document["scope_corrected"])
    given = explained.get("baseline")
    baseline = None if given is None else _numbers(given)
    floor = np.zeros_like(counts) if baseline is None else baseline
    evidence = explained["evidence"]
    said = _said_of_peaks(evidence)
    marks = tuple(_mark(peak, nm, counts, said.get(peak["peak_id"], [])) for peak in document["detected_peaks"])
    claimed = [one for one in evidence if one["claimed"]]
    return View(
        title=title,
        findings=_findings(document),
        facts=_facts(document, explained),
        nm=nm,
        counts=counts,
        baseline=baseline,
        marks=marks,
        missing=tuple(_missing(claimed, nm, floor, document.get("wavelength_correction"))),
        bands=_bands(document),
        reasons=tuple(
            Reason(one["element"], chance(one["probability"]), one["claimed"], _sentence(one)) for one in evidence
        ),
    )


def chance(probability: float) -> str:
    """Probability to two decimals, never "1.00": nothing here is certain."""
    return ">0.99" if probability >= _SURE else f"{probability:.2f}"


def _numbers(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _findings(document: Mapping[str, Any]) -> tuple[str, ...]:
    found = [*document["elements"], *document.get("molecules", ())]
    named = [f"{one['element']} {chance(one['probability'])}" for one in found]
    unsure = [f"{' or '.join(one['elements'])} (ambiguous)" for one in document.get("ambiguous", ())]
    return tuple(named + unsure) or ("no element named",)


def _facts(document: Mapping[str, Any], explained: Mapping[str, Any]) -> tuple[str, ...]:
    about = document["spectral_metadata"]
    facts = [str(about[name]) for name in ("device", "model", "taken_at") if about.get(name)]
    if about.get("integration_us"):
        facts.append(f"{about['integration_us'] / 1000:g} ms x {about.get('scans') or 1}")
    facts += ["SIMULATED"] if about.get("simulated") else []
    facts.append("dark taken off" if document.get("dark") else "no dark")
    facts.append(f"engine {about['engine_version']}, lines {about['line_table_version']}")
    facts += [str(explained["note"])] if explained.get("note") else []
    return (*facts, *(str(warning) for warning in about.get("warnings", ())))


def _sentence(one: Mapping[str, Any]) -> str:
    return str(one["sentence"]).removeprefix(f"{one['element']}: ")


def _said_of_peaks(evidence: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """By peak what each claimed element has to say of it."""
    said: dict[str, list[str]] = {}
    for one in evidence:
        for line in one["lines"] if one["claimed"] else ():
            words = (
                f"{one['element']} {_stage(line['ionization'])} {line['wavelength_nm']:.2f}: "
                f"expected {line['expected']:.0f}, there {line['seen']:.0f} ± {line['seen_sigma']:.0f}"
            )
            said.setdefault(str(line["peak_id"]), []).append(words)
    return said


def _mark(peak: Mapping[str, Any], nm: FloatArray, counts: FloatArray, said: Sequence[str]) -> Mark:
    at = float(peak["wavelength_nm"])
    around = counts[max(int(np.searchsorted(nm, at)) - 2, 0) : int(np.searchsorted(nm, at)) + 2]
    top = float(np.nanmax(around)) if np.isfinite(around).any() else float(peak["intensity"])
    names = [candidate["element"] for candidate in peak["candidates"]]
    unsure = bool(peak.get("ambiguous"))
    called = f"{'/'.join(dict.fromkeys(names[:4]))}? " if unsure and names else ""
    candidates = ", ".join(f"{c['candidate_key']} {chance(c['probability'])}" for c in peak["candidates"][:5])
    words = [
        f"{peak['peak_id']}: {peak['element'] or 'not named'}"
        + (f" {chance(peak['probability'])}" if peak["element"] else ""),
        f"{at:.3f} ± {max(peak['wavelength_sigma_nm'], 0.001):.3f} nm, FWHM {peak['fwhm_nm']:.2f} nm",
        f"height {peak['intensity']:.0f}, SNR {peak['snr']:.0f}"
        + "".join(f", {word}" for word in ("manual", "saturated", "blended") if peak.get(word)),
    ]
    words += [f"chosen by hand: {peak['candidate_key']}"] if peak.get("candidate_key") else []
    words += [f"candidates: {candidates}"] if candidates else []
    name = peak["element"]
    label = f"{f'{name} ' if name else called}{at:.1f}"
    return Mark(
        peak["peak_id"],
        at,
        top,
        float(peak["intensity"]),
        name,
        label,
        (*words, *said),
        unsure,
        bool(peak.get("saturated")),
    )


def _missing(
    claimed: Iterable[Mapping[str, Any]], nm: FloatArray, floor: FloatArray, correction: Mapping[str, Any] | None
) -> Iterable[Missing]:
    for one in claimed:
        for line in one["missing"]:
            at = _on_device(line["wavelength_nm"], correction)
            if not nm[0] <= at <= nm[-1]:
                continue
            words = (
                f"{one['element']} {_stage(line['ionization'])} {line['wavelength_nm']:.2f} is missing: "
                f"expected {line['expected']:.0f}, there {line['seen']:.0f} ± {line['seen_sigma']:.0f}"
            )
            height = float(line["expected"])
            yield Missing(at, float(np.interp(at, nm, floor)) + height, height, one["element"], words)


def _on_device(true_nm: float, correction: Mapping[str, Any] | None) -> float:
    """Where the device's axis shows a true wavelength."""
    if correction is None:
        return true_nm
    shift, stretch, pivot = (float(correction[name]) for name in ("shift_nm", "stretch", "pivot_nm"))
    return (true_nm + shift - stretch * pivot) / (1.0 - stretch)


def _bands(document: Mapping[str, Any]) -> tuple[Band, ...]:
    """Stretches of the peaks that molecules are named for; those that touch are one."""
    molecules = {found["element"] for found in document.get("molecules", ())}
    bands: list[Band] = []
    for peak in document["detected_peaks"]:
        name, reach = peak["element"], _BAND_FWHM * peak["fwhm_nm"]
        if name not in molecules:
            continue
        band = Band(peak["wavelength_nm"] - reach, peak["wavelength_nm"] + reach, name)
        if bands and bands[-1].name == name and bands[-1].high_nm >= band.low_nm:
            band = Band(bands.pop().low_nm, band.high_nm, name)
        bands.append(band)
    return tuple(bands)


def _stage(ionization: int) -> str:
    return _STAGES[ionization] if 0 <= ionization < len(_STAGES) else str(ionization)

"""Scores on the practice cases with their own score.py, and the time a spectrum takes.

Run from the repository's root: ``python -m tests.bench.practice``. The data lie in ``../shared``, outside the project.
"""

import contextlib
import importlib.util
import io
import json
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import oesd
from oesd.model import Analysis

PRACTICE = Path(__file__).resolve().parents[3] / "shared" / "data" / "practice"


def load_case(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text())
    return case


def analyzed(case: dict[str, Any]) -> Analysis:
    return oesd.analyze(
        case["wavelengths"],
        case["sample"],
        case["dark"],
        integration_us=case["integration_us"],
        saturation_counts=case["saturation_counts"],
        nonlinearity=case["nonlinearity"],
        scans_averaged=case["scans_averaged"],
        fwhm_nm=case["fwhm_hint_nm"],
    )


def prediction(result: Analysis) -> dict[str, Any]:
    return {
        "elements": [{"element": e.element, "score": e.probability} for e in result.elements],
        "peaks": [
            {
                "center_px": p.center_px,
                "fwhm_nm": p.fwhm_nm,
                "snr": p.snr,
                "candidates": [
                    {"element": c.element, "ion": c.ionization, "wavelength_nm": c.wavelength_nm} for c in p.candidates
                ],
            }
            for p in result.detected_peaks
        ],
    }


def scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("practice_score", PRACTICE / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured_scores() -> tuple[dict[str, Any], str]:
    """All figures of score.py, elements claimed on the blanks besides, and the table it prints."""
    predictions, spent = {}, []
    for path in sorted((PRACTICE / "cases").glob("*.json")):
        case = load_case(path)
        start = time.process_time()
        result = analyzed(case)
        spent.append(1e3 * (time.process_time() - start))
        predictions[path.stem] = prediction(result)
    truth = json.loads((PRACTICE / "truth.json").read_text())["cases"]
    table = io.StringIO()
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(table):
        file = Path(directory) / "predictions.json"
        file.write_text(json.dumps({"time_ms": float(np.median(spent)), "cases": predictions}))
        scores = scorer().score(str(PRACTICE), str(file))
    scores["on_blanks"] = sum(len(predictions[name]["elements"]) for name, t in truth.items() if t["family"] == "blank")
    return scores, table.getvalue()


def repeat_ms(case: dict[str, Any], rounds: int = 20) -> tuple[float, float]:
    """Median and worst CPU time of the same axis again and again, as a device does it."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        analyzed(case)
        spent.append(1e3 * (time.process_time() - start))
    return float(np.median(spent)), float(np.max(spent[1:]))


def main() -> None:
    scores, table = measured_scores()
    print(table)
    print(f"elements claimed on the blanks {scores['on_blanks']}")
    for name in ("case_004", "case_050", "case_106"):
        case = load_case(PRACTICE / "cases" / f"{name}.json")
        median, worst = repeat_ms(case)
        peaks = len(analyzed(case).detected_peaks)
        print(f"{name}: {case['pixels']} px, {peaks} peaks: {median:.1f} ms median, {worst:.1f} ms worst, axis known")


if __name__ == "__main__":
    main()

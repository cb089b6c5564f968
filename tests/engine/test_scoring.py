"""Our scorer is the practice set's scorer, and its calibration error is what the word means."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from tests.bench.identification import PRACTICE, analyzed, prediction
from tests.bench.practice import scorer
from tests.bench.scoring import calibration_error, element_f1, scored, summary

SAME = {
    "element F1": "el_F1",
    "element precision": "el_P",
    "exact element set": "el_exact",
    "top-1 of matched": "top1",
    "top-3 of matched": "top3",
    "top-1 end to end": "top1_end2end",
    "ion stage": "ion_acc",
    "peak recall SNR>=10": "peak_recall_snr10",
    "false peaks/spectrum": "false_peaks_per_spectrum",
    "centre median, px": "center_px_median_isolated",
    "centre rms, px": "center_px_rms_isolated",
    "FWHM median error": "fwhm_rel_median",
}


@pytest.mark.skipif(not (PRACTICE / "truth.json").exists(), reason="the practice data are not here")
def test_the_scores_are_those_of_the_practice_set():
    truth = json.loads((PRACTICE / "truth.json").read_text())["cases"]
    few = {name: truth[name] for name in sorted(truth)[::10]}
    predictions = {}
    for name in few:
        given = json.loads((PRACTICE / "cases" / f"{name}.json").read_text())
        predictions[name] = prediction(analyzed(given))
    ours = summary([scored(few[name], predictions[name]) for name in few])
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()):
        Path(directory, "truth.json").write_text(json.dumps({"cases": few}))
        file = Path(directory, "predictions.json")
        file.write_text(json.dumps({"time_ms": 1.0, "cases": predictions}))
        theirs = scorer().score(directory, str(file))
    for name, key in SAME.items():
        assert ours[name] == pytest.approx(theirs[key], abs=1e-9), name


def test_a_perfect_and_an_empty_prediction():
    peak = {"px": 100.0, "snr": 50.0, "band": False, "sat": False, "contrib": [["Fe", 1.0, 1, 371.99]]}
    truth = {
        "id": "x", "family": "lte", "drift": "small", "present": ["Fe", "Cu"], "detectable": ["Fe"],
        "fwhm_px": 3.0, "fwhm_nm": 1.0, "peaks": [peak],
    }  # fmt: skip
    candidate = {"element": "Fe", "ion": 1, "wavelength_nm": 371.99, "probability": 0.9}
    found = {"center_px": 100.2, "fwhm_nm": 1.1, "snr": 40.0, "candidates": [candidate]}
    right = scored(truth, {"elements": [{"element": e, "score": 0.9} for e in ("Fe", "Cu")], "peaks": [found]})
    assert (right.right, right.false, right.missed) == ({"Fe"}, set(), set()), "copper is there and cannot be seen"
    assert right.first == right.named == right.all_named == 1
    np.testing.assert_allclose([right.centers_px[0], right.widths[0]], [0.2, 0.1])
    nothing = scored(truth, {"elements": [], "peaks": []})
    assert nothing.missed == {"Fe"} and nothing.all_named == 1 and nothing.named == 0
    assert element_f1([right]) == 1.0 and element_f1([nothing]) == 0.0


def test_a_peak_where_nothing_is_counts_as_false():
    truth = {
        "id": "x", "family": "blank", "drift": "small", "present": [], "detectable": [],
        "fwhm_px": 3.0, "fwhm_nm": 1.0, "peaks": [],
    }  # fmt: skip
    row = scored(truth, {"elements": [{"element": "Fe", "score": 0.6}], "peaks": [{"center_px": 7.0}]})
    assert row.false_peaks == 1 and row.claimed == 1 and row.false == {"Fe"}


def test_calibration_error():
    assert calibration_error([(0.95, True)] * 95 + [(0.95, False)] * 5) == pytest.approx(0.0)
    assert calibration_error([(0.95, True)] * 50 + [(0.95, False)] * 50) == pytest.approx(0.45)
    assert calibration_error([(0.6, True)] * 10 + [(0.9, True)] * 10) == pytest.approx(0.25)
    assert calibration_error([]) == 0.0


def test_an_empty_case_is_no_division_by_zero():
    truth = {
        "id": "x", "family": "blank", "drift": "small", "present": [], "detectable": [],
        "fwhm_px": 3.0, "fwhm_nm": 1.0, "peaks": [],
    }  # fmt: skip
    figures = summary([scored(truth, {"elements": [], "peaks": []})])
    assert figures["element F1"] == 0.0 and figures["exact element set"] == 1.0

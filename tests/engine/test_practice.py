"""Floors on the 120 practice cases, well below what was measured; the benchmark prints the whole table."""

import pytest
from tests.bench.practice import PRACTICE, measured_scores

pytestmark = pytest.mark.skipif(not (PRACTICE / "truth.json").exists(), reason="the practice data are not here")


@pytest.fixture(scope="module")
def scores():
    return measured_scores()[0]


@pytest.mark.parametrize(
    ("figure", "least"),
    [
        ("el_P", 0.95),
        ("el_R", 0.84),
        ("el_F1", 0.90),
        ("el_exact", 0.66),
        ("top1", 0.89),
        ("top3", 0.90),
        ("top1_end2end", 0.82),
        ("ion_acc", 0.95),
        ("peak_recall_snr10", 0.94),
    ],
)
def test_at_least(scores, figure, least):
    assert scores[figure] >= least


@pytest.mark.parametrize(
    ("figure", "most"),
    [
        ("false_peaks_per_spectrum", 0.7),
        ("center_px_median_isolated", 0.045),
        ("center_px_rms_isolated", 0.16),
        ("fwhm_rel_median", 0.09),
        ("on_blanks", 0),
    ],
)
def test_at_most(scores, figure, most):
    assert scores[figure] <= most

"""Scores on the practice cases with their own score.py, and the time a spectrum takes.

Run from the repository's root: ``python -m tests.bench.practice``. The data lie in ``../shared``, outside the project.
``python -m tests.bench.identification`` has the same figures beside those of cases of our own.
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
from tests.bench.identification import PRACTICE, analyzed, prediction


def load_case(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text())
    return case


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

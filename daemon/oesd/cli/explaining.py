"""Why elements are named: the evidence as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oesd.cli.tables import chance, number

_STAGES = ("", "I", "II", "III", "IV", "V")
_SHOWN = 12


def evidence_lines(document: Mapping[str, Any]) -> list[str]:
    """For each element a sentence and its lines, those that are missing after those that are seen.

    Parameters
    ----------
    document : mapping
        As :func:`oesd.formats.evidence.evidence_document` makes it.
    """
    note = [f"note: {document['note']}"] if document.get("note") else []
    if not document["evidence"]:
        return [*note, "evidence: nothing was named, and nothing nearly"]
    return [*note, *(line for one in document["evidence"] for line in ["", *_element_lines(one)])]


def _element_lines(one: Mapping[str, Any]) -> list[str]:
    said = "" if one["claimed"] else ", not claimed"
    sentence = str(one["sentence"]).removeprefix(f"{one['element']}: ")
    head = f"{one['element']} {chance(one['probability'])}{said} (margin {one['margin_nats']:+.1f} nats): {sentence}"
    rows = [_row("seen", line) for line in one["lines"][:_SHOWN]]
    rows += [_row("missing", line) for line in one["missing"][:_SHOWN]]
    more = max(0, len(one["lines"]) - _SHOWN) + max(0, len(one["missing"]) - _SHOWN)
    rows += [f"    and {more} weaker lines"] if more else []
    rows += [f"    rivals: {', '.join(one['rivals'])}"] if one["rivals"] else []
    return [head, *rows]


def _row(word: str, line: Mapping[str, Any]) -> str:
    name = f"{line['wavelength_nm']:9.3f} {_stage(line['ionization']):3}"
    heights = (
        f"expected {number(line['expected'], 9, 0)}   there {number(line['seen'], 9, 0)} "
        f"+- {number(line['seen_sigma'], 6, 0).strip():<6}"
    )
    peak = f" {line['peak_id'] or ''} at {line['peak_nm']:.2f}" if line["peak_nm"] is not None else ""
    shared = f", shared with {', '.join(line['shared_with'])}" if line["shared_with"] else ""
    return f"    {word:8}{name} {heights}{peak}{shared}".rstrip()


def _stage(ionization: int) -> str:
    return _STAGES[ionization] if 0 <= ionization < len(_STAGES) else str(ionization)

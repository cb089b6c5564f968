"""What was found, for whoever looks: a table on a terminal, lines for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from oesd.cli.errors import printable
from oesd.cli.screen import echo_table, is_terminal
from oesd.cli.tables import LEGEND, finding_lines, peak_rows, summary_lines


def echo_findings(before: Sequence[str], document: Mapping[str, Any], after: Sequence[str]) -> None:
    """Print lines, the findings of a GET /oes document, and more lines."""
    peaks = document["detected_peaks"]
    if not (is_terminal() and peaks):
        _echo([*before, *finding_lines(document), *after])
        return
    _echo([*before, *summary_lines(document)])
    echo_table(peak_rows(peaks))
    _echo([LEGEND, *after])


def _echo(lines: Sequence[str]) -> None:
    click.echo("\n".join(printable(line) for line in lines))

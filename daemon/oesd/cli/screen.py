"""Tables and progress by rich where a person looks; plain aligned lines where a program reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from oesd.cli.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

RIGHT = frozenset(
    {"due", "stored", "lost", "every", "nm", "sigma", "FWHM", "SNR", "height", "p", "pixels", "slots", "exposure"}
)


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()


def echo_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their headings: the first row; numbers to the right. Foreign text is made harmless."""
    safe = [[printable(text) for text in row] for row in rows]
    if is_terminal():
        _echo_rich(safe)
    else:
        click.echo("\n".join(aligned(safe)))


def echo_report(rows: Sequence[Sequence[str]], lines: Sequence[str]) -> None:
    """Print a table, where there is one, and the lines below it."""
    if rows:
        echo_table(rows)
    click.echo("\n".join(printable(line) for line in lines))


def show(document: Mapping[str, Any], lines: Callable[[Mapping[str, Any]], Iterable[str]], as_json: bool) -> None:
    """Print a document whole as JSON, or as the lines that tell it to a person."""
    if as_json:
        click.echo(json.dumps(document))
    else:
        click.echo("\n".join(printable(line) for line in lines(document)))


def _echo_rich(rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head, *body = rows
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, justify="right" if name in RIGHT else "left", overflow="fold")
    for row in body:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of one width each; numbers to the right."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if name in RIGHT else text.ljust(width)
            for name, text, width in zip(rows[0], row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


class Progress:
    """A bar on stderr for each thing that is done after the other; none where stderr is no terminal."""

    def __init__(self) -> None:
        self._doing = ""
        self._bars: Bars | None = None

    def tell(self, doing: str, done: int, there_is: int) -> None:
        """Show how far it is."""
        if doing != self._doing:
            self.end()
            self._doing = doing
            if sys.stderr.isatty():
                self._bars = _bars()
                self._bars.start()
                self._bars.add_task(printable(doing), total=max(there_is, 1))
        if self._bars is not None:
            self._bars.update(self._bars.task_ids[0], completed=done, total=max(there_is, 1))

    def end(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Bars(*columns, console=Console(stderr=True), transient=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress for as long as it lasts."""
    shown = Progress()
    try:
        yield shown
    finally:
        shown.end()

"""What ``oesd top`` shows: the daemon's news gathered, and laid out for the size of the terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oesd.cli.alarms import standing_lines, wants_person
from oesd.cli.errors import printable
from oesd.cli.ledger import reason_lines
from oesd.service.notes import duration_text

if TYPE_CHECKING:
    from rich.console import ConsoleDimensions

    from oesd.client import Event

_RATE_S = 10.0
_SILENT_S = 4.0  # the state comes each second
_COLOURS = {"good": "green", "wait": "yellow", "bad": "bold red"}
_FEWEST_LINES = 3
_AIRY = 8  # lines of a terminal that has room for empty ones


@dataclass(slots=True)
class Seen:
    """The newest of everything; written by one thread, read by another. Times are of one steady clock."""

    url: str
    status: Mapping[str, Any]
    heard_s: float = 0.0
    trouble: str = ""
    broken: Exception | None = None
    spectra: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    captures: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)

    def note(self, event: Event, now_s: float) -> None:
        """Take in an event."""
        if event.kind == "state":
            self.status, self.heard_s = event.data, now_s
            for unit in event.data.get("spectrometers", ()):
                counts = self.captures.setdefault(unit["name"], deque(maxlen=64))
                counts.append((now_s, int(unit.get("captures") or 0)))
        elif event.kind == "spectrum":
            self.spectra = {**self.spectra, str(event.data.get("device")): event.data}

    def rate(self, name: str, now_s: float) -> float | None:
        """Captures a second of a spectrometer over the last ten; None before two are known."""
        counts = [(at, count) for at, count in list(self.captures.get(name, ())) if at >= now_s - _RATE_S]
        if len(counts) < 2 or counts[-1][0] <= counts[0][0]:
            return None
        return max(counts[-1][1] - counts[0][1], 0) / (counts[-1][0] - counts[0][0])


def view_of(seen: Seen, now_s: float, size: ConsoleDimensions) -> RenderableType:
    """Lay out what is seen; what does not fit is left out from below, and the last line is always there."""
    units = max(len(seen.status.get("spectrometers", ())), 1)
    below = [*_alarms(seen.status), *_needs(seen), Text(), *_sums(seen.status)]
    gap = [Text()] if size.height >= _AIRY else []
    room = max(size.height - 2 - 2 * len(gap), 0)  # between the head and the last line
    # With many spectrometers some lines below stay: those in trouble are named there again.
    rows = 0 if room < 2 else max(min(units, room - 1 - min(len(below), _FEWEST_LINES)), 1)
    told = below[: room - 1 - rows] if rows else []
    for text in told:
        text.truncate(size.width, overflow="ellipsis")
    quit_line = Text("q quits", style="dim")
    if hidden := units - rows + len(below) - len(told):
        quit_line.append(f"   {hidden} more lines: make the terminal higher, or oesd status")
    quit_line.truncate(size.width, overflow="ellipsis")
    table = [_spectrometers(seen, now_s, rows)] if rows else []
    return Group(_head(seen, now_s), *gap, *table, *told, *gap, quit_line)


def _head(seen: Seen, now_s: float) -> Text:
    status = seen.status
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"oesd {printable(str(status.get('version', '')))}  ", style="bold")
    text.append(*_verdict(seen, now_s))
    text.append(f"  up {duration_text(status.get('uptime_s', 0))}  {printable(seen.url)}")
    if status.get("simulated"):
        text.append("  SIMULATED", style="bold yellow")
    return text


def _verdict(seen: Seen, now_s: float) -> tuple[str, str]:
    """How it goes, with its colour; without news nothing is known to be well."""
    if seen.trouble:
        return printable(seen.trouble), "bold red"
    if seen.heard_s and now_s - seen.heard_s > _SILENT_S:
        return f"silent for {duration_text(now_s - seen.heard_s)}", "bold red"
    if seen.status.get("healthy", True) and not wants_person(seen.status):
        return "all is well", "green"
    return "NEEDS ATTENTION", "bold red"


def _spectrometers(seen: Seen, now_s: float, rows: int) -> Table:
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    for name, width, right in (("spectrometer", 14, False), ("state", 10, False), ("per s", 5, True)):
        table.add_column(name, width=width, no_wrap=True, overflow="ellipsis", justify="right" if right else "left")
    table.add_column("exposure", width=12, no_wrap=True, justify="right")
    table.add_column("saturated", width=9, no_wrap=True, justify="right")
    table.add_column("in the light", ratio=1, no_wrap=True, overflow="ellipsis")
    for unit in seen.status.get("spectrometers", ())[:rows]:
        table.add_row(*_row(unit, seen, now_s))
    if not seen.status.get("spectrometers"):
        table.add_row(Text("none", style="bold red"), "oesd devices", "", "", "", "")
    return table


def _row(unit: Mapping[str, Any], seen: Seen, now_s: float) -> Sequence[RenderableType]:
    rate = seen.rate(unit["name"], now_s)
    saturated = int(unit.get("saturated_pixels") or 0)
    exposure = f"{(unit.get('integration_us') or 0) / 1000:g} ms x {unit.get('scans') or 1}"
    return (
        Text(printable(unit["name"])),
        Text(printable(str(unit.get("word") or unit.get("state"))), style=_COLOURS.get(str(unit.get("level")), "")),
        Text("" if rate is None else f"{rate:.2g}" if rate < 10 else f"{rate:.0f}"),
        Text(exposure),
        Text(f"{saturated} px" if saturated else "-", style="bold red" if saturated else ""),
        Text("" if unit.get("level") == "bad" else _found(seen.spectra.get(unit["name"]))),
    )


def _found(spectrum: Mapping[str, Any] | None) -> str:
    if spectrum is None:
        return ""
    found = [*(spectrum.get("elements") or ()), *(spectrum.get("molecules") or ())]
    return printable(" ".join(str(one["element"]) for one in found)) or "nothing named"


def _needs(seen: Seen) -> list[Text]:
    """What a person should know or do."""
    status = seen.status
    lines = [
        Text(printable(f"{unit['name']}: {note['text']}"), style="bold red" if note["level"] == "bad" else "yellow")
        for unit in status.get("spectrometers", ())
        for note in [{"level": unit["level"], "text": unit["line"]}, *unit.get("notes", ())]
        if note.get("level") in ("bad", "wait")
    ]
    problems = [f"{place}: {problem}" for place, problem in status.get("problems", {}).items()]
    problems += [f"spectra cannot be stored: {status['store']}"] if status.get("store") else []
    problems += [f"the {name} thread does not answer" for name in status.get("late", ())]
    if (disk := status.get("disk") or {}).get("level") in ("low", "full"):
        problems.append(str(disk.get("line")))
    return [*(Text(printable(problem), style="bold red") for problem in problems), *lines]


def _sums(status: Mapping[str, Any]) -> list[Text]:
    day, tally, upload = status.get("day", {}), status.get("tally", {}), status.get("upload", {})
    lost = sum(day.get("lost", {}).values())
    head = Text(f"last 24 h   {day.get('due', 0)} slots, {day.get('stored', 0)} stored, ")
    head.append(f"{lost} lost", style="bold red" if lost else "green")
    stages = ("captured", "stored", "processed", "confirmed")
    lines = [head, *(Text(printable(f"            {line}")) for line in reason_lines(day.get("lost", {})))]
    lines.append(Text("in all      " + ", ".join(f"{tally.get(name, 0)} {name}" for name in stages)))
    state = str(upload.get("state", "off"))
    queue = f"queue       {tally.get('waiting', 0)} to analyse, {tally.get('pending', 0)} to forward; upload {state}"
    why = upload.get("blocked") or (upload.get("last_error") if state not in ("ok", "off") else "")
    lines.append(Text(printable(f"{queue}: {why}" if why else queue), style="" if state in ("ok", "off") else "yellow"))
    return lines


def _alarms(status: Mapping[str, Any]) -> list[Text]:
    """Alarms that are on: the state of each second tells them, those raised before this began as well."""
    return [Text(printable(line), style=_COLOURS.get(level, "")) for level, line in standing_lines(status)]

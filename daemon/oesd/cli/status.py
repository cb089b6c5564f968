"""``oesd status``: what happened and what to do, at a glance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from oesd.cli.alarms import standing_lines, wants_person
from oesd.cli.entries import reached, where
from oesd.cli.errors import printable
from oesd.cli.ledger import reason_lines
from oesd.cli.runs import standing_line
from oesd.service.notes import duration_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
@where
def status(as_json: bool, url: str | None, data: Path | None) -> None:
    """Tell what the daemon is doing, what is wrong and what to do; status 1 when something needs a person."""
    with reached(url, data) as access:
        state = access.status()
        lines = [json.dumps(state, default=str)] if as_json else status_lines(state)
        click.echo("\n".join(printable(line) for line in lines))
        if not _well(state):
            raise SystemExit(1)


def _well(state: Mapping[str, Any]) -> bool:
    return bool(state.get("healthy", True)) and not wants_person(state)


def status_lines(state: Mapping[str, Any]) -> list[str]:
    """Lines that show the daemon's state."""
    if "tally" not in state:
        return [state["state"], *state["summary"]]
    mood = "all is well" if _well(state) else "NEEDS ATTENTION"
    lines = [f"oesd {state['version']}: {mood}; up {duration_text(state['uptime_s'])}; data in {state['data_dir']}"]
    lines += ["SIMULATED: virtual spectrometers"] if state["simulated"] else []
    lines += [f"{'problem: ' if level == 'bad' else ''}{text}" for level, text in standing_lines(state)]
    for unit in state["spectrometers"]:
        lines += spectrometer_lines(unit)
    lines += [] if state["spectrometers"] else ["no spectrometer is plugged in: oesd devices lists what USB shows"]
    lines += [f"problem: {place}: {problem}" for place, problem in state["problems"].items()]
    lines += [f"problem: spectra cannot be stored: {state['store']}"] if state.get("store") else []
    lines += _room_lines(state.get("disk", {}))
    lines += [f"problem: the {name} thread does not answer" for name in state.get("late", [])]
    return [*lines, standing_line(state["runs"]["standing"]), *_sums(state), _upload_line(state["upload"])]


def _room_lines(disk: Mapping[str, Any]) -> list[str]:
    """What is to be said of the room that the data have: nothing while there is enough."""
    words = {"full": f"problem: {disk.get('line')}", "low": f"little room: {disk.get('line')}"}
    level = str(disk.get("level"))
    return [words[level]] if level in words else []


def spectrometer_lines(unit: Mapping[str, Any]) -> list[str]:
    """Lines that show one spectrometer: what it does, its exposure, what to know and what to do."""
    exposure = f"exposure {unit['integration_us'] / 1000:g} ms x {unit['scans']}, {unit['captures']} captures"
    return [
        f"{unit['name']} ({unit['model']} {unit['serial']}): {unit['line']}",
        f"    {exposure}",
        *(f"    {'! ' if note['level'] else ''}{note['text']}" for note in unit["notes"]),
    ]


def _sums(state: Mapping[str, Any]) -> list[str]:
    tally, day = state["tally"], state["day"]
    return [
        f"last 24 h: {day['due']} slots, {day['stored']} stored, {sum(day['lost'].values())} lost",
        *reason_lines(day["lost"]),
        *(f"{line}, not in the ledger yet" for line in reason_lines(state["unrecorded"])),
        "in all: " + ", ".join(f"{name} {tally[name]}" for name in ("captured", "stored", "processed", "confirmed"))
        + f", lost {sum(tally['lost'].values())}",
    ]  # fmt: skip


def _upload_line(upload: Mapping[str, Any]) -> str:
    differing, conflicting = (upload.get("remote", {}).get(name, 0) for name in ("differing", "conflicting"))
    beside = f"; {differing} results there differ from ours" if differing else ""
    if conflicting:
        beside += f", {conflicting} with peaks that persons named otherwise there: GET /remote?kind=conflicts"
    if upload["state"] in ("ok", "off"):
        return f"upload: {upload['state']}{beside}"
    return f"upload: {upload['state']}: {upload.get('blocked') or upload.get('last_error')}{beside}"

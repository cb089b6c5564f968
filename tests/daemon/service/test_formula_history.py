"""Formulas that somebody types, over stored spectra: values as named traces would have them, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.daemon.web import spectra

from oesd.config import parse_config
from oesd.model import Capture, Device, Entry, Kind, LineSpread, new_id
from oesd.service.formula_history import MOST
from oesd.service.watch_desk import WatchDesk
from oesd.service.watching import Watching
from oesd.store import Store
from oesd.web import Server, create_api

RATIO = "Cu_324.8 / Ar_763.5"
BEGAN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Copper fades against argon: twelve spectra, a second apart; the last has no result yet."""
    device = spectra.device()
    dark = spectra.capture(device, Kind.DARK)
    with Store.open(tmp_path_factory.mktemp("formula")) as opened:
        opened.save_capture(dark, None, upload=False).result(30)
        for number in range(12):
            _store(opened, device, dark, number)
        yield opened


def _store(store: Store, device: Device, dark: Capture, number: int) -> None:
    sample = spectra.capture(device, seed=1)
    copper = device.wavelengths_nm < 600.0
    faded = 1480 * 2 + (sample.counts_sum.astype(float) - 1480 * 2) * (1.0 - 0.05 * number * copper)
    sample = replace(
        sample, counts_sum=faded.round().clip(0).astype("uint32"), taken_at_utc=BEGAN + timedelta(seconds=number)
    )
    entry = Entry(new_id(), sample.record_id, dark.record_id, None, "", "", spectra.NOW)
    store.save_capture(sample, entry, upload=False).result(30)
    if number < 11:
        made = spectra.analysis(device.wavelengths_nm, sample.counts, dark=dark.counts)
        made = replace(made, line_spread=LineSpread((533.0,), (1.46,), (0.01,)))
        store.save_result(entry.data_id, made, {}).result(30)


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[httpx.Client]:
    desk = WatchDesk(store, Watching(parse_config("", "test"), store))
    server = Server(create_api(store, status=dict, healthy=lambda: True, token="t" * 20, watching=desk))
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as one:
        yield one
    server.stop()


def asked(client: httpx.Client, formula: str, **more: Any) -> httpx.Response:
    until = BEGAN + timedelta(minutes=5)
    times = {"from": BEGAN.isoformat(), "to": until.isoformat()}
    return client.get("/traces", params={"formula": formula, "device": "chamber-a", **times, **more})


def test_a_ratio_over_the_spectra_that_are_stored(client: httpx.Client) -> None:
    found = asked(client, RATIO).json()
    assert (found["name"], found["definition"], found["refused"], found["events"]) == (RATIO, RATIO, "", [])
    assert len(found["value"]) == 11 <= MOST and set(found["state"]) == {"measured"}
    ratio = [value / found["value"][0] for value in found["value"]]
    assert ratio == pytest.approx([1.0 - 0.05 * number for number in range(11)], abs=0.02)
    assert all(sigma > 0 for sigma in found["sigma"])
    assert found["taken_at_utc"][3] == "2026-11-22T10:00:03.000Z"
    assert asked(client, RATIO).json()["value"] == found["value"], "what is remembered is what was measured"
    table = asked(client, RATIO, points=0)
    assert table.status_code == 200


def test_a_later_result_is_measured_anew(client: httpx.Client, store: Store) -> None:
    before = asked(client, "Cu_327.4").json()["value"]
    first = store.entries(100)[-1].data_id
    result = store.result(first)
    assert result is not None
    store.save_result(first, replace(result.analysis, warnings=("another",)), {}).result(30)
    assert asked(client, "Cu_327.4").json()["value"] == before


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("Ar_750.4 / Ar_751.5", "they cannot be told apart"),
        ("Cu_324.8 / Ar_950.0", "nearest"),
        ("Cu_324.8 /", "missing at the end"),
        ("Ar_912.3", "912"),
        ("Qq_324.8", "Qq"),
        ("1 / 0", ""),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(client: httpx.Client, formula: str, words: str) -> None:
    answer = asked(client, formula)
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["detail"]
    assert fault["loc"] == ["query", "formula"] and words in fault["msg"] and "\n" not in fault["msg"]


def test_a_time_without_spectra_is_empty(client: httpx.Client) -> None:
    found = asked(client, RATIO, **{"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}).json()
    assert found["value"] == found["taken_at_utc"] == []
    assert asked(client, "x" * 501).status_code == 422

"""GET /events over real sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Api
from tests.daemon.web.uploading import until

from oesd.store import Store
from oesd.web import Shown
from oesd.web.pump import Listener, Pump, Told, Wish
from oesd.web.thinning import envelope

Event = dict[str, Any]


@contextmanager
def listening(api: Api, query: str = "", **headers: str) -> Iterator[Iterator[Event]]:
    """Events as they come: ``id``, ``event``, and ``data`` as values."""
    with (
        httpx.Client(base_url=api.url, timeout=10.0, trust_env=False) as client,
        client.stream("GET", f"/events{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    event: Event = {}
    for line in lines:
        name, _, text = line.partition(": ")
        if name in ("id", "event"):
            event[name] = text
        elif name == "data":
            event["data"] = json.loads(text)
        elif not line and "data" in event:
            yield event
            event = {}


def shown(store: Store, data_id: str, device: str = "chamber-a") -> Shown:
    result = store.result(data_id)
    assert result is not None
    return Shown(device, result, np.full(result.analysis.sample.shape, 7.0))


def test_who_comes_is_told_the_state_and_the_newest_spectrum_at_once(api: Api, store: Store) -> None:
    api.daemon.status = {"simulated": True}
    data_id = spectra.store_spectrum(store, spectra.device(pixels=512))
    with listening(api) as told:
        first, second = next(told), next(told)
    assert (first["event"], first["data"]) == ("state", {"simulated": True})
    data = second["data"]
    assert (second["event"], data["data_id"], data["revision"], data["device"]) == ("spectrum", data_id, 1, "chamber-a")
    assert data["elements"][0]["element"] == "Ar" and data["peaks"][0]["candidates"]
    assert data["baseline"] is None  # of before the start: the engine would have to make it again
    assert len(data["wavelengths_nm"]) == len(data["scope_corrected"]) == 512


def test_a_new_spectrum_goes_to_all_who_listen_thinned_as_they_wish(api: Api, store: Store) -> None:
    data_id = spectra.store_spectrum(store, spectra.device(pixels=512))
    with listening(api, "?points=100") as coarse, listening(api, "?points=0") as fine, listening(api, "?device=b") as b:
        for told in (coarse, fine):
            assert [next(told)["event"], next(told)["event"]] == ["state", "spectrum"]
        api.feed.spectrum(shown(store, data_id))
        api.feed.alarm({"name": "dark due"})
        thin, full = (
            next(e for e in coarse if e["event"] == "spectrum"),
            next(e for e in fine if e["event"] == "spectrum"),
        )
        assert next(e for e in b if e["event"] != "state")["event"] == "alarm"  # no spectrum of chamber-a
    counts = full["data"]["scope_corrected"]
    assert len(counts) == 512 and len(thin["data"]["scope_corrected"]) <= 100
    assert max(thin["data"]["scope_corrected"]) == max(counts) and min(thin["data"]["scope_corrected"]) == min(counts)
    assert set(full["data"]["baseline"]) == {7.0}
    until(lambda: api.feed.listeners == 0)


def test_an_assignment_and_its_end_are_told_to_every_page(api: Api, store: Store) -> None:
    data_id = spectra.store_spectrum(store, spectra.device(pixels=512))
    key = api.client.get(f"/oes/{data_id}").json()["detected_peaks"][0]["candidates"][1]["candidate_key"]
    with listening(api) as told:
        next(told)
        for candidate, why in ((key, "assigned"), (None, "cleared")):
            body = {"peak_id": "p1", "candidate_key": candidate}
            answer = api.client.patch(f"/oes/{data_id}/peaks", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == 200
            change = next(e for e in told if e["event"] == "change")
            assert change["data"] == {"data_id": data_id, "revision": 1, "why": why}


def test_after_a_break_changes_and_alarms_come_again_but_nothing_that_was_seen(api: Api) -> None:
    api.feed.alarm({"name": "seen"})
    api.feed.alarm({"name": "missed"})
    api.feed.changed("x", 2, "reprocessed")
    with listening(api, **{"Last-Event-ID": "0"}) as told:
        everything = [next(told) for _ in range(4)]
    seen = next(e["id"] for e in everything if e["data"] == {"name": "seen"})
    with listening(api, **{"Last-Event-ID": seen}) as told:
        again = [next(told) for _ in range(3)]
    assert [e["event"] for e in again] == ["state", "alarm", "change"]
    assert again[1]["data"] == {"name": "missed"}
    numbers = [int(e["id"]) for e in everything if e["event"] != "state"]
    assert numbers == sorted(numbers)


def test_the_state_comes_again_only_when_it_is_another(api: Api) -> None:
    api.daemon.status = {"uptime_s": 1.0, "healthy": True}
    with listening(api) as told:
        assert next(told)["data"]["healthy"] is True
        before = api.daemon.answers_left
        until(lambda: api.daemon.answers_left < before - 1)
        api.daemon.status = {"uptime_s": 2.0, "healthy": False}
        states = [next(told), next(told)]  # one that the pump had not told yet, then the other
        assert [e["data"]["healthy"] for e in states] == [True, False]


def test_a_state_that_stays_is_told_again_before_a_page_takes_the_line_for_dead() -> None:
    """A browser keeps comments to itself: told nothing else, a page cannot tell a quiet daemon from one that hangs."""
    silent_s = int(re.findall(r"SILENT_MS = (\d+)", files("oesd.web").joinpath("page/feed.js").read_text())[0]) / 1000
    with closing(asyncio.new_event_loop()) as loop:
        pump = Pump(loop, lambda: {"word": "paused"}, itertools.count())
        told = []
        for _second in range(int(silent_s)):
            pump._state_at_s -= 1.0
            pump._told_at_s -= 1.0
            told += pump._state_if_due()
    assert 3 <= len(told) <= 4


def test_a_crowd_of_listeners_leaves_room_for_calls(api: Api) -> None:
    with httpx.Client(base_url=api.url, timeout=10.0, trust_env=False) as client:
        open_streams = [client.stream("GET", "/events") for _ in range(20)]
        answers = [stream.__enter__() for stream in open_streams]
        try:
            assert [answer.status_code for answer in answers] == [200] * 20
            until(lambda: api.feed.listeners == 20)
            turned_away = api.client.get("/events")
            assert turned_away.status_code == 503 and turned_away.headers["retry-after"] == "5"
            assert "close other pages" in turned_away.json()["detail"]
            assert api.client.get("/healthz").status_code == 200
        finally:
            for stream in open_streams:
                stream.__exit__(None, None, None)
    until(lambda: api.feed.listeners == 0)


@pytest.mark.parametrize("query", ["?points=-1", "?points=65537", "?points=x", "?speed=2"])
def test_a_wish_that_cannot_be(api: Api, query: str) -> None:
    assert api.client.get(f"/events{query}").status_code == 422


def test_who_reads_too_slowly_misses_spectra_but_no_alarm() -> None:
    listener = Listener(Wish("", 0))
    for number in range(1000):
        listener.offer([Told(number, "spectrum a", "a", b"s"), Told(number, "state", "", b"t")])
        if number % 10 == 0:
            listener.offer([Told(number, "", "", b"A")])
    waiting = [told.data for told in listener._waiting]
    assert (waiting.count(b"A"), waiting.count(b"s"), waiting.count(b"t")) == (100, 1, 1)


def test_who_listens_to_a_state_that_cannot_be_told_is_let_go(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Kept on the line, a page would go on to show what it was told last."""
    with listening(api) as told:
        next(told)
        api.daemon.answers_left = 0
        until(lambda: not api.feed.listeners)
        assert [event for event in told if event["event"] == "state"] == []
    api.daemon.answers_left = 1_000
    with listening(api) as told:
        assert next(told)["event"] == "state"


def test_nobody_listens_nothing_is_made(api: Api, store: Store) -> None:
    data_id = spectra.store_spectrum(store, spectra.device(pixels=256))
    left, newest = api.daemon.answers_left, shown(store, data_id)
    began_s = time.process_time()
    for _ in range(1000):
        api.feed.spectrum(newest)
    assert time.process_time() - began_s < 0.5  # encoding one takes a millisecond
    assert api.daemon.answers_left == left


class TestThinning:
    values = arrays.arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6))

    @settings(max_examples=150)
    @given(values=values, points=st.integers(0, 400))
    def test_no_line_is_lost(self, values: np.ndarray[Any, Any], points: int) -> None:
        kept = envelope(values, points)
        assert len(kept) <= max(points, 2) or len(kept) == len(values)
        assert (np.diff(kept) > 0).all()
        assert values[kept].max() == values.max() and values[kept].min() == values.min()

    def test_pixels_that_are_no_number_do_not_hide_others(self) -> None:
        values = np.array([np.nan, 5.0, np.nan, -1.0, np.nan, 2.0])
        assert set(envelope(values, 2)) == {1, 3}
        assert len(envelope(np.full(10, np.nan), 4)) <= 4


def test_who_listens_is_let_go_when_the_daemon_ends(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with listening(api) as told:
        next(told)
        api.feed.end()
        assert list(told) == [], "the answer is over, as it should end: no error for the client"
    with listening(api) as told:  # who comes later is greeted and let go at once
        assert [event["event"] for event in told] == ["state"]
    until(lambda: api.feed.listeners == 0)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]

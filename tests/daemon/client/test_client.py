"""The notebook client against a daemon's API, a hub's, and servers that are none."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import redirect_stderr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY, TOKEN, Api, engine_for, new_hub, served
from tests.daemon.web.uploading import upload

from oesd import Client
from oesd.client import ClientError, Entries, Event, OESResult
from oesd.client.events import NoEvents, events_of
from oesd.client.following import followed
from oesd.formats import read_spectrum
from oesd.formats.containers import spectra_of
from oesd.service.exporting import exporter
from oesd.store import Store
from oesd.upload.errors import Uncertain
from oesd.web.shown import Shown

GUIDE = Path(__file__).parents[3] / "daemon" / "README.md"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("client") / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
def api(store: Store) -> Iterator[Api]:
    with served(store, export=exporter(store, store.database.parent)) as running:
        yield running


@pytest.fixture(scope="module")
def ids(store: Store) -> list[str]:
    return [spectra.store_spectrum(store, spectra.device(), seed=seed) for seed in (1, 2, 3)]


@pytest.fixture
def client(api: Api, ids: list[str]) -> Iterator[Client]:
    with Client(api_key=TOKEN, endpoint=api.url) as opened:
        yield opened


def test_a_result_has_the_fields_of_the_api_as_arrays(client: Client, api: Api, ids: list[str]) -> None:
    (result,) = client.get(data_ids=ids[0])
    document = api.client.get(f"/oes/{ids[0]}").json()
    assert isinstance(result, OESResult) and result.document == document
    assert result.detected_peaks == document["detected_peaks"] and result.elements == document["elements"]
    for name in ("wavelengths", "sample", "scope_corrected"):
        values = getattr(result, name)
        assert values.dtype == np.float64 and values.tolist() == document[name]
    assert (result.data_id, result.id, result.wavelength_unit) == (ids[0], "oes_001", "nm")
    assert ids[0] in repr(result)


def test_results_come_in_the_order_of_their_ids(client: Client, ids: list[str]) -> None:
    wanted = [ids[2], ids[0], ids[1]]
    assert [result.data_id for result in client.get(wanted)] == wanted
    assert client.get([]) == []


def test_search_finds_what_a_daemon_has(client: Client, ids: list[str]) -> None:
    found = client.search(device="chamber-a", elements="Ar")
    assert isinstance(found, Entries) and found.data_ids == ids[::-1]
    assert found[0]["device"] == "chamber-a" and "Ar" in found[0]["elements"]
    assert client.search(device="nobody") == [] and len(client.search(limit=2)) == 2
    assert ids[0] in found._repr_html_()


def test_a_choice_by_hand_and_back(client: Client, ids: list[str]) -> None:
    (result,) = client.get(ids[1])
    peak = next(peak for peak in result.detected_peaks if len(peak["candidates"]) > 1)
    key = peak["candidates"][1]["candidate_key"]
    chosen = client.assign(ids[1], peak["peak_id"], key).peak(peak["peak_id"])
    assert chosen["manual"] and chosen["element"] == peak["candidates"][1]["element"]
    assert "manual" not in client.assign(result, peak["peak_id"], None).peak(peak["peak_id"])
    with pytest.raises(ClientError, match=f"valid keys: .*{key}") as caught:
        client.assign(result, peak["peak_id"], "Xx_1.0")
    assert caught.value.status_code == 422


def test_exports_are_those_of_the_daemon(client: Client, ids: list[str], tmp_path: Path) -> None:
    one = client.export(ids[0], tmp_path / "one.csv")
    assert read_spectrum(one.read_bytes()).metadata["data_id"] == ids[0]
    several = client.export(ids, tmp_path / "all.zip", format="jdx")
    found = [file.metadata["data_id"] for _, file in spectra_of(several.read_bytes())]
    assert found == ids and len(zipfile.ZipFile(several).namelist()) == 3
    with pytest.raises(ClientError, match="is there already: overwrite=True"):
        client.export(ids[0], one)
    with pytest.raises(ClientError, match=r"name it x\.zip"):
        client.export(ids, tmp_path / "x.csv")
    with pytest.raises(ClientError, match="cannot be written: No such file or directory"):
        client.export(ids[0], tmp_path / "nowhere" / "x.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "one.csv"]


def test_what_happens_comes_as_it_happens(client: Client, store: Store, api: Api) -> None:
    live = client.live(kinds=("spectrum", "change"))
    assert next(live).kind == "spectrum"
    data_id = spectra.store_spectrum(store, spectra.device(), seed=9)
    result = store.result(data_id)
    assert result is not None
    api.feed.spectrum(Shown("chamber-a", result, None))
    event = next(live)
    assert event.data["data_id"] == data_id and event.data["wavelengths_nm"].dtype == np.float64
    peak = result.analysis.detected_peaks[0]
    client.assign(data_id, peak.peak_id, peak.candidates[0].candidate_key)
    assert next(event.data["why"] for event in live if event.kind == "change") == "assigned"
    live.close()


def test_the_guide_runs_as_it_is_written(
    api: Api, ids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matplotlib.use("Agg")
    monkeypatch.setenv("AS_API_KEY", TOKEN)
    monkeypatch.setenv("AS_API_ENDPOINT", api.url)
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(code) > 6
    told: dict[str, Any] = {}
    exec(compile("\n".join(code), str(GUIDE), "exec"), told)
    assert (tmp_path / "argon.zip").exists() and told["axes"].get_xlabel() == "wavelength in air / nm"
    plt.close("all")


# -- a hub, and whoever else answers ----------------------------------------------------------------------------------


@pytest.fixture
def hub_client(tmp_path: Path) -> Iterator[tuple[Client, str]]:
    with Store.open(tmp_path / "hub-data") as store:
        hub = new_hub(store, tmp_path / "hub", engine_for(store), spectra.parse, True)
        hub.start()
        try:
            with (
                httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}, trust_env=False) as sender,
                httpx.Client(trust_env=False) as bucket,
                Client(KEY, hub.url) as opened,
            ):
                yield opened, upload(sender, bucket, spectra.file_bytes(seed=5))
        finally:
            hub.stop()


def test_the_same_against_a_hub(hub_client: tuple[Client, str], tmp_path: Path) -> None:
    client, data_id = hub_client
    assert client.search().data_ids == [data_id] and client.search(state="failed") == []
    (result,) = client.get(data_id)
    peak = next(peak for peak in result.detected_peaks if len(peak["candidates"]) > 1)
    key = peak["candidates"][1]["candidate_key"]
    result = client.assign(result, peak["peak_id"], key)
    assert result.peak(peak["peak_id"])["candidate_key"] == key
    file = client.export(data_id, tmp_path / "x.csv")
    measured = read_spectrum(file.read_bytes()).measurement
    assert np.array_equal(measured.sample, result.sample)
    assert next(client.live()).data["data_id"] == data_id  # changed a moment ago
    assert client.search(device="x") == []
    (found,) = client.search(device=client.search()[0]["device"])
    assert (found["data_id"], found["state"]) == (data_id, "processed")
    assert set(found["elements"]) >= {one["element"] for one in result.elements}  # and what was chosen by hand


class _Odd(BaseHTTPRequestHandler):
    answer: tuple[int, str, bytes] = (200, "text/html", b"<html>log in</html>")

    def do_GET(self) -> None:
        status, kind, body = self.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Odd,), {}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_has_no_search_of_ours_is_searched_by_keywords_only(odd: ThreadingHTTPServer) -> None:
    odd.RequestHandlerClass.answer = (404, "application/json", b'{"detail": "Not Found"}')  # type: ignore[attr-defined]
    with (
        Client(KEY_TEXT, f"http://127.0.0.1:{odd.server_address[1]}") as client,
        pytest.raises(ClientError, match="it is searched by keywords, since and until only"),
    ):
        client.search(device="x")


KEY_TEXT = "a-very-secret-key-0123"


@pytest.mark.parametrize(
    ("status", "kind", "body", "said"),
    [
        (200, "text/html", b"<html>", "without JSON"),
        (200, "application/json", b"[1, 2", "no JSON"),
        (200, "application/json", b"{}", "no OES result"),
        (200, "application/json", b'{"data_id": "x", "wavelengths": [1, 2], "sample": [1]}', "one value for each"),
        (200, "application/json", json.dumps({"data_id": KEY_TEXT}).encode(), "quotes our key"),
        (302, "text/html", b"", "a redirect, which is not followed"),
        (401, "application/json", json.dumps({"detail": f"bad {KEY_TEXT}"}).encode(), "give its key"),
        (403, "application/json", b'{"detail": "no"}', "the key may not do this"),
        (500, "text/plain", b"oops\n\x1b[2J", "500"),
    ],
)
def test_odd_answers_are_one_line_without_the_key(
    odd: ThreadingHTTPServer, status: int, kind: str, body: bytes, said: str
) -> None:
    odd.RequestHandlerClass.answer = (status, kind, body)  # type: ignore[attr-defined]
    with (
        Client(KEY_TEXT, f"http://127.0.0.1:{odd.server_address[1]}") as client,
        pytest.raises(ClientError, match=said) as caught,
    ):
        client.get("0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90")
    text = str(caught.value)
    assert KEY_TEXT not in text and "\n" not in text and text.isprintable()


def test_the_key_is_never_shown_and_never_saved(api: Api) -> None:
    with Client(KEY_TEXT, api.url) as client:
        assert repr(client) == f"Client(endpoint='{api.url}/', api_key=***)"
        assert KEY_TEXT not in str(vars(client))
        with pytest.raises(TypeError, match="not to be copied"):
            pickle.dumps(client)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Client(api_key="", endpoint="https://api.example.com"), "no API key for api.example.com: give"),
        (lambda: Client("short", "http://127.0.0.1:1"), "8 to 256 visible"),
        (lambda: Client(KEY_TEXT, "http://example.com"), "http is for loopback only"),
        (lambda: Client(KEY_TEXT, "ftp://x"), "not an https address"),
    ],
)
def test_a_client_that_cannot_be_says_so(make: Any, said: str) -> None:
    with pytest.raises(ClientError, match=said) as caught:
        make()
    assert KEY_TEXT not in str(caught.value)


def test_wrong_use_is_told_before_anything_is_sent() -> None:
    with Client("", "http://127.0.0.1:1") as client:
        for call, said in (
            (lambda: client.get("../status"), "no data id"),
            (lambda: client.get([1]), "no data id"),  # type: ignore[list-item]
            (lambda: client.assign("0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90", "p1", "x"), "needs a key"),
            (lambda: client.search(state="done"), "state 'done' is none of"),
            (lambda: client.export([], "x.csv"), "no data ids"),
            (lambda: client.get("0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90"), "127.0.0.1:1 not reached"),
        ):
            with pytest.raises(ClientError, match=said):
                call()


# -- streams of events ------------------------------------------------------------------------------------------------


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["state", "change"]), st.integers(0, 9), st.text(max_size=9)), max_size=6
    ),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
@settings(max_examples=60)
def test_events_come_out_however_the_stream_is_cut(events: list[tuple[str, int, str]], cuts: list[int]) -> None:
    stream = b": heartbeat\n\n" + b"".join(
        f"id: {number}\nevent: {kind}\ndata: {json.dumps({'text': text})}\n\n".encode() for kind, number, text in events
    )
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    expected = [Event(kind, {"text": text}, str(number)) for kind, number, text in events]
    assert list(events_of(pieces)) == expected


@pytest.mark.parametrize("stream", [b"data: nonsense\n\n", b"data: [1]\n\n", b"x" * (17 << 20)])
def test_a_stream_that_is_none_is_refused(stream: bytes) -> None:
    with pytest.raises(NoEvents):
        list(events_of([stream]))


def test_a_break_is_bridged_and_nothing_comes_twice() -> None:
    asked, paused = [], []

    def spectrum(number: int) -> Event:
        return Event("spectrum", {"device": "a", "data_id": f"entry {number}", "revision": 1}, str(number))

    def listen(last_id: str) -> Iterator[Event]:
        asked.append(last_id)
        if len(asked) == 2:
            raise Uncertain("gone")
        first = 1 if len(asked) == 1 else 2
        yield from (spectrum(number) for number in range(first, first + 2))
        if len(asked) > 3:
            raise KeyboardInterrupt
        raise Uncertain("broken off")

    found = []
    with pytest.raises(KeyboardInterrupt):
        for event in followed(listen, paused.append, reconnect=True):
            found.append(event.id)
    assert found[:3] == ["1", "2", "3"] and asked[:3] == ["", "2", "2"]
    assert paused[:2] == [0.5, 1.0]


def test_importing_oesd_stays_light() -> None:
    code = "import sys, oesd; print([m for m in ('numpy', 'httpx', 'oesd.client', 'rich') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_where_a_person_waits_unless_muted(api: Api, ids: list[str]) -> None:
    shown = {}
    for muted in (False, True):
        with Client(TOKEN, api.url, mute_bars=muted) as client, redirect_stderr(Terminal()) as stderr:
            assert [result.data_id for result in client.get(ids)] == ids
        shown[muted] = stderr.getvalue()
    assert "results" in shown[False] and "100%" in shown[False]
    assert shown[True] == ""

"""The smaller calls: devices, darks, captures, lines, metrics, export, plotly's script."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.daemon.web import spectra
from tests.daemon.web.conftest import Api, served
from tests.daemon.web.uploading import until

from oesd.model import Kind, new_id
from oesd.service.elements import element_lines, molecule_bands
from oesd.store import Store, UnknownEntry
from oesd.store.verdicts import StoredVerdict
from oesd.web.plotting import plotly_script
from oesd.web.sheets import sheet


@dataclass
class Pieces:
    """A file on its way; may break off, and knows when nobody wants it any more."""

    contents: Sequence[bytes]
    breaks: bool = False
    closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._left = iter(self.contents)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._left)
        except StopIteration:
            if self.breaks:
                raise OSError("broken") from None
            raise

    def close(self) -> None:
        self.closed.set()


@dataclass
class File:
    file_name: str
    media_type: str
    pieces: Pieces


@dataclass
class Exporter:
    """Stands for the room that writes files."""

    asked: list[tuple[list[str], str]] = field(default_factory=list)
    next: Pieces = field(default_factory=lambda: Pieces([b"a,", b"b\n"]))

    def __call__(self, data_ids: Iterator[str], form: str) -> Any:
        self.asked.append((list(data_ids), form))
        if form == "h5":
            raise ValueError("HDF5 needs h5py: pip install 'oesd[hdf5]'")
        if form == "jdx":
            raise UnknownEntry("x")
        return File('oesd"-1.csv', "text/csv; charset=utf-8", self.next)


@pytest.fixture
def export() -> Exporter:
    return Exporter()


@pytest.fixture
def api(store: Store, export: Exporter) -> Iterator[Api]:
    with served(store, export=export, lines=element_lines, bands=molecule_bands) as running:
        yield running


def test_a_device_is_what_it_said_and_what_it_does(api: Api, store: Store) -> None:
    spectra.store_spectrum(store, spectra.device("a", pixels=64))
    spectra.store_spectrum(store, spectra.device("b", pixels=64))
    unit = {"name": "b", "state": "measuring", "line": "measuring"}
    api.daemon.status = {"spectrometers": [unit], "problems": {"usb": "x"}}
    document = api.client.get("/devices").json()
    a, b = document["devices"]
    assert (a["name"], a["at_work"], a["pixels"], a["first_nm"], a["last_nm"]) == ("a", False, 64, 196.0, 870.0)
    assert (b["at_work"], b["line"], b["saturation_counts"]) == (True, "measuring", 65_535)
    assert (b["nonlinearity"], b["stray_light"]) == ([], [])
    curved = replace(spectra.device("b", pixels=64), nonlinearity=(0.935, 4e-6), stray_light=(0.01,))
    spectra.store_spectrum(store, curved)
    b = api.client.get("/devices").json()["devices"][1]
    assert (b["nonlinearity"], b["stray_light"]) == ([0.935, 4e-6], [0.01])
    assert document["problems"] == {"usb": "x"}


def test_darks_come_with_their_verdicts_page_by_page(api: Api, store: Store) -> None:
    device = spectra.device(pixels=64)
    darks = [spectra.capture(device, Kind.DARK, sequence=number) for number in range(3)]
    for number, dark in enumerate(darks):
        store.save_capture(dark, None, upload=False).result()
        verdict = StoredVerdict(
            dark.record_id, Kind.DARK, number != 1, True, False, f"reason {number}", {}, spectra.NOW, dark.taken_at_utc
        )
        store.library.save_verdict(dark, verdict).result()
    first = api.client.get("/darks?limit=2").json()
    rest = api.client.get(f"/darks?limit=2&cursor={first['next']}").json()
    told = [(one["accepted"], one["reason"], one["kind"]) for one in first["darks"] + rest["darks"]]
    assert told == [(True, "reason 2", "dark"), (False, "reason 1", "dark"), (True, "reason 0", "dark")]
    assert rest["next"] is None and first["darks"][0]["scans"] == 2
    assert api.client.get("/darks?kind=reference").json() == {"references": [], "next": None}
    assert api.client.get("/darks?device=other").json()["darks"] == []


def test_captures_backwards(api: Api, store: Store) -> None:
    for name in ("a", "b", "a"):
        spectra.store_spectrum(store, spectra.device(name, pixels=64))
    of_a = api.client.get("/captures?device=a&limit=3").json()
    assert [one["kind"] for one in of_a["captures"]] == ["sample", "dark", "sample"]
    rest = api.client.get(f"/captures?device=a&limit=3&cursor={of_a['next']}").json()
    assert [one["kind"] for one in rest["captures"]] == ["dark"] and rest["next"] is None


def test_lines_of_an_element_on_the_axis_of_a_spectrometer(api: Api, store: Store) -> None:
    spectra.store_spectrum(store, spectra.device("a", pixels=64))
    everywhere = api.client.get("/lines?element=Ga&limit=1000").json()["lines"]
    there = api.client.get("/lines?element=Ga&device=a&limit=1000").json()["lines"]
    assert there == [line for line in everywhere if 196 <= line["wavelength_nm"] <= 870] != everywhere
    assert 417.2 in [round(line["wavelength_nm"], 1) for line in there[:20]]
    strengths = [line["strength"] for line in there]
    assert strengths == sorted(strengths, reverse=True) and strengths[0] <= 1.0
    for query in ("element=Xx", "element=Ga&device=b"):
        assert api.client.get(f"/lines?{query}").status_code == 404


def test_metrics_add_up_and_are_read_by_prometheus_own_parser(api: Api, store: Store) -> None:
    api.daemon.status = {
        "healthy": True, "uptime_s": 12.5,
        "tally": {"captured": 10, "stored": 7, "lost": {"device gone": 2, 'odd "reason"\n': 1}, "waiting": 3},
        "disk": {"used_bytes": 5, "free_bytes": 6, "line": "x"},
        "spectrometers": [{"name": "a", "model": "USB4000", "word": "measuring", "level": "good", "captures": 4}],
        "upload": {"state": "ok", "counts": {"stored": 2}},
        "alarms": {"standing": [{"name": "leak", "device": "a", "state": "raised"}], "failed": [{"name": "mail"}]},
    }  # fmt: skip
    answer = api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    lost = sum(value for (name, _), value in samples.items() if name == "oesd_slots_lost_total")
    assert samples["oesd_slots_total", ()] == samples["oesd_slots_stored_total", ()] + lost == 10
    assert samples["oesd_slots_lost_total", (("reason", 'odd "reason"\n'),)] == 1
    assert samples["oesd_spectrometer_captures", (("device", "a"),)] == 4
    assert samples["oesd_upload_queue", (("state", "stored"),)] == 2
    assert samples["oesd_alarm_state", (("device", "a"), ("name", "leak"), ("state", "raised"))] == 1
    assert samples["oesd_action_failed", (("name", "mail"),)] == 1
    assert samples["oesd_disk_free_bytes", ()] == 6 and samples["oesd_healthy", ()] == 1


class TestExport:
    def test_by_ids_in_their_order(self, api: Api, export: Exporter) -> None:
        one, other = new_id(), new_id()
        answer = api.client.get(f"/export?ids={one},{other}&ids={one}&format=txt")
        assert (answer.status_code, answer.text) == (200, "a,b\n")
        assert answer.headers["content-disposition"] == 'attachment; filename="oesd-1.csv"'
        assert export.asked == [([one, other, one], "txt")]
        until(export.next.closed.is_set)

    def test_by_search_oldest_first(self, api: Api, export: Exporter, store: Store) -> None:
        ids = [spectra.store_spectrum(store, spectra.device("a", pixels=64)) for _ in range(3)]
        spectra.store_spectrum(store, spectra.device("b", pixels=64))
        assert api.client.get("/export?device=a").status_code == 200
        assert export.asked == [(ids, "csv")]

    @pytest.mark.parametrize(
        ("query", "status", "words"),
        [
            ("", 422, "say which entries"),
            ("ids=x", 422, "is no data id"),
            ("ids=../../etc/passwd", 422, "is no data id"),
            ("device=nobody", 404, "no entry fits"),
            ("ids=00000000-0000-0000-0000-000000000000&format=exe", 422, "format"),
            ("ids=00000000-0000-0000-0000-000000000000&format=h5", 422, "pip install"),
            ("ids=00000000-0000-0000-0000-000000000000&format=jdx", 404, "no such data entry"),
        ],
    )
    def test_what_cannot_be_exported(self, api: Api, query: str, status: int, words: str) -> None:
        for _ in range(3):  # a refusal takes nobody's turn
            answer = api.client.get(f"/export?{query}")
            assert answer.status_code == status and words in answer.text

    def test_one_that_breaks_off_is_no_whole_file(self, api: Api, export: Exporter) -> None:
        export.next = Pieces([b"half"], breaks=True)
        with pytest.raises(httpx.RemoteProtocolError):
            api.client.get(f"/export?ids={new_id()}")
        until(export.next.closed.is_set)

    def test_nobody_reads_on_and_the_work_ends(self, api: Api, export: Exporter) -> None:
        export.next = Pieces([b"x" * 100_000] * 10_000)
        with httpx.stream("GET", f"{api.url}/export?ids={new_id()}") as answer:
            next(answer.iter_bytes())
        until(export.next.closed.is_set)

    def test_two_at_once_the_third_comes_again_later(self, api: Api, export: Exporter) -> None:
        export.next = Pieces([b"x" * 100_000] * 10_000)
        url = f"{api.url}/export?ids={new_id()}"
        with httpx.stream("GET", url) as one, httpx.stream("GET", url) as two:
            assert (one.status_code, two.status_code) == (200, 200)
            third = api.client.get(url)
            assert third.status_code == 503 and int(third.headers["retry-after"]) > 0
        export.next = Pieces([b"x"])
        until(lambda: api.client.get(f"/export?ids={new_id()}&format=txt").status_code == 200)


def test_plotly_is_fetched_once(api: Api) -> None:
    script = plotly_script()
    assert script is not None
    answer = api.client.get("/plotly.min.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-cache")
    with api.client.stream("GET", answer.headers["location"]) as sent:
        assert "immutable" in sent.headers["cache-control"]
        assert int(sent.headers["content-length"]) == script.stat().st_size
        assert sent.headers["content-type"].startswith("text/javascript")


def test_no_cell_is_a_formula() -> None:
    rows = sheet(["text", "n"], [["@x", -1.5], ["+y", float("nan")], ["-z", None], ["plain, with comma", True]])
    assert rows.decode().splitlines() == ["text,n", "'@x,-1.5", "'+y,", "'-z,", '"plain, with comma",true']


def test_bands_of_a_molecule_are_wider_where_lines_are(api: Api, store: Store) -> None:
    spectra.store_spectrum(store, spectra.device("a", pixels=64))
    (narrow,), (wide,) = (api.client.get(f"/lines?element=CN&fwhm_nm={nm}").json()["bands"] for nm in (0.2, 2.0))
    assert narrow["system"] == wide["system"] == "CN"
    shown = {}
    for band, fwhm_nm in ((narrow, 0.2), (wide, 2.0)):
        nm, light = np.array(band["wavelengths_nm"]), np.array(band["relative"], dtype=float)
        assert (np.diff(nm) > 0).all() and np.nanmax(light) == 1.0
        assert nm[np.nanargmax(light)] == pytest.approx(388.0, abs=0.5 + fwhm_nm / 2), "the violet head"
        shown[fwhm_nm] = np.nansum(light > 0.5) * np.diff(nm).min()
        assert np.isnan(light).any(), "a break between the sequences"
    assert shown[2.0] > 1.3 * shown[0.2]
    systems = api.client.get("/lines?element=N2").json()
    assert [one["system"] for one in systems["bands"]] == ["N2", "N2 1+"] and systems["lines"] == []
    assert api.client.get("/lines?element=Ga").json()["bands"] == []
    assert api.client.get("/lines?element=CN&fwhm_nm=0").status_code == 422

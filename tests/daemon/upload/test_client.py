"""The calls of the API against a good server, and answers that lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fault_server as faults
from tests.support.fault_server import KEY, FaultServer
from tests.support.upload_bench import QUICK

from oesd.model import new_id
from oesd.upload import ApiKey, OesApi
from oesd.upload.answers import entries, peaks, presigned
from oesd.upload.client import PART_BYTES, split
from oesd.upload.errors import AnswerTooLarge, NotFound, ProtocolBroken, RecordRefused, Uncertain


@pytest.fixture(params=["", "/"])
def api(server: FaultServer, request: pytest.FixtureRequest) -> Iterator[OesApi]:
    with OesApi(server.url + request.param, ApiKey(KEY), deadlines=QUICK) as made:
        yield made


def test_an_upload_call_by_call(api: OesApi, server: FaultServer) -> None:
    given = api.presign("a+b ü&c=1#x.csv", 2)
    assert server.entries[given.data_id].name == "a+b ü&c=1#x.csv"
    tags = [api.put_part(url, data) for url, data in zip(given.urls, (b"one", b"two"), strict=True)]
    assert api.download_raw(given.data_id, 100) is None
    api.complete(given.upload_id, given.new_filename, tags)
    body = json.loads(next(s for s in server.seen if s.route == "complete").body)
    assert body["etag_data"] == [{"ETag": tags[0], "PartNumber": 1}, {"ETag": tags[1], "PartNumber": 2}]
    assert tags[0].startswith('"')
    assert api.download_raw(given.data_id, 6) == b"onetwo"
    with pytest.raises(AnswerTooLarge):
        api.download_raw(given.data_id, 5)
    with pytest.raises(Uncertain):
        api.complete(given.upload_id, given.new_filename, tags)
    (entry,) = api.find_entries(data_ids=[given.data_id])
    assert (entry.data_id, entry.pipeline_status) == (given.data_id, "pending")
    assert [e.data_id for e in api.find_entries(keywords="&c=1#")] == [given.data_id]
    assert api.find_entries(keywords="other") == []
    document = api.get_oes(given.data_id)
    assert document is not None
    assert "manual" not in document["detected_peaks"][1]
    changed = api.patch_peak(given.data_id, "p2", "Ga_417.2")
    assert changed["detected_peaks"][1] == {**document["detected_peaks"][1], "manual": True, "element": "Ga"}
    assert server.patches == [(given.data_id, "p2", "Ga_417.2")]


def test_what_is_not_there_is_none(api: OesApi, server: FaultServer) -> None:
    assert api.get_oes(new_id()) is None
    assert api.download_raw(new_id(), 10) is None
    server.script("entries", faults.status(404))
    assert api.find_entries(keywords="x") == []
    server.script("download", faults.answer({}), faults.status(410), faults.status(422))
    assert api.download_raw(new_id(), 10) is None
    with pytest.raises(ProtocolBroken):
        api.download_raw(new_id(), 10)  # 410 is none of the API's answers
    assert api.download_raw(new_id(), 10) is None


def test_an_override_that_does_not_fit(api: OesApi, server: FaultServer) -> None:
    data_id = new_id()
    server.results[data_id] = faults.result(data_id)
    with pytest.raises(RecordRefused, match="422"):
        api.patch_peak(data_id, "p1", "Xx_1.0")
    server.script("patch", faults.status(404))
    with pytest.raises(NotFound):
        api.patch_peak(data_id, "p9", "Ga_417.2")


def test_the_clock_is_asked_without_the_key(api: OesApi, server: FaultServer) -> None:
    measured = api.gateway_time()
    assert abs(measured.offset_ms - 5000) < 100
    assert 0 <= measured.bound_ms < 1000
    assert "x-api-key" not in {name.lower() for name in server.seen[-1].headers}


@pytest.mark.parametrize(
    "stamps",
    [
        {"receivedAtUnixMs": 2e12, "transmittedAtUnixMs": 1e12},
        {"receivedAtUnixMs": 1e12, "transmittedAtUnixMs": 2e12},
        {"receivedAtUnixMs": "1", "transmittedAtUnixMs": 2},
        {"receivedAtUnixMs": True, "transmittedAtUnixMs": 2},
        {"transmittedAtUnixMs": 2},
        [],
    ],
)
def test_impossible_stamps_are_dropped(api: OesApi, server: FaultServer, stamps: Any) -> None:
    server.script("clock", faults.answer(stamps))
    with pytest.raises(ProtocolBroken):
        api.gateway_time()


HOSTILE_IDS = [
    "", "..", "../admin", "a/b", "?x=1", "#", "http://evil.org/", "//evil.org", "%2e%2e", "\x00", "x" * 36,
    "0190B5A0-0000-7000-8000-000000000000", "{0190b5a0-0000-7000-8000-000000000000}",
    "0190b5a0-0000-7000-8000-000000000000\n", "0190b5a0-0000-7000-8000-000000000000/../x",
]  # fmt: skip


@given(st.sampled_from(HOSTILE_IDS) | st.text(max_size=40))
def test_only_uuids_enter_a_url(hostile: str) -> None:
    """The port is one where nobody listens: a request would fail as Unreachable."""
    with OesApi("http://127.0.0.1:9", ApiKey(KEY)) as api:
        calls: list[Callable[[], object]] = [
            lambda: api.get_oes(hostile),
            lambda: api.download_raw(hostile, 1),
            lambda: api.patch_peak(hostile, "p1", "k"),
            lambda: api.find_entries(data_ids=[hostile]),
        ]
        for call in calls:
            with pytest.raises(ProtocolBroken, match="no UUID"):
                call()


def test_too_many_ids_at_once_are_a_mistake_of_ours(api: OesApi) -> None:
    with pytest.raises(ValueError, match="100 at most"):
        api.find_entries(data_ids=[new_id()] * 101)


def _rows(parts: int) -> list[dict[str, Any]]:
    data_id = new_id()
    return [
        {"part": n, "url": f"https://b.org/{n}", "upload_id": "u", "new_filename": "n.txt", "data_id": data_id}
        for n in range(1, parts + 1)
    ]


@given(st.integers(1, 20), st.randoms(use_true_random=False))
def test_parts_come_in_any_order(parts: int, random: Any) -> None:
    rows = _rows(parts)
    random.shuffle(rows)
    assert presigned(rows, parts, lambda url: url).urls == tuple(f"https://b.org/{n}" for n in range(1, parts + 1))


@pytest.mark.parametrize(
    "edit",
    [
        lambda rows: rows[:-1],
        lambda rows: rows + rows[-1:],
        lambda rows: [],
        lambda rows: {"0": rows[0]},
        lambda rows: [rows[0], rows[0]],
        lambda rows: [row | {"part": row["part"] - 1} for row in rows],
        lambda rows: [row | {"part": row["part"] * 2} for row in rows],
        lambda rows: [row | {"part": str(row["part"])} for row in rows],
        lambda rows: [row | {"part": float(row["part"])} for row in rows],
        lambda rows: [row | {"part": True} for row in rows],
        lambda rows: [rows[0], rows[1] | {"data_id": new_id()}],
        lambda rows: [rows[0], rows[1] | {"upload_id": "other"}],
        lambda rows: [rows[0], rows[1] | {"new_filename": "other"}],
        lambda rows: [row | {"upload_id": None} for row in rows],
        lambda rows: [row | {"upload_id": 17} for row in rows],
        lambda rows: [row | {"upload_id": ""} for row in rows],
        lambda rows: [row | {"upload_id": "x" * 2000} for row in rows],
        lambda rows: [row | {"upload_id": "\ud800"} for row in rows],
        lambda rows: [row | {"new_filename": "a\nb"} for row in rows],
        lambda rows: [row | {"new_filename": None} for row in rows],
        lambda rows: [row | {"data_id": "../../x"} for row in rows],
        lambda rows: [row | {"data_id": None} for row in rows],
        lambda rows: [row | {"url": None} for row in rows],
        lambda rows: [row | {"url": "file:///etc/passwd"} for row in rows],
        lambda rows: [row | {"url": "http://bucket.example.org/x"} for row in rows],
        lambda rows: [row | {"url": "http://169.254.169.254/latest"} for row in rows],
        lambda rows: [rows[0], rows[1] | {"url": "ftp://b.org/2"}],
        lambda rows: [rows[0], "part 2"],
    ],
)
def test_a_part_list_that_lies_is_refused(api: OesApi, server: FaultServer, edit: Callable[[Any], Any]) -> None:
    server.script("presign", faults.answer(edit(_rows(2))))
    with pytest.raises(ProtocolBroken):
        api.presign("a.txt", 2)


@pytest.mark.parametrize("etag", [None, "", "x" * 129, 'a b"', "\x7f"])
def test_an_etag_that_cannot_be_one_is_refused(api: OesApi, server: FaultServer, etag: str | None) -> None:
    url = api.presign("a.txt").urls[0]
    server.script("put", faults.headers_changed(ETag=etag))
    with pytest.raises(ProtocolBroken, match="ETag"):
        api.put_part(url, b"x")


def test_a_link_of_another_scheme_or_host_gets_no_bytes(server: FaultServer) -> None:
    with OesApi(server.url, ApiKey(KEY), bucket_hosts=["127.0.0.1"], deadlines=QUICK) as api:
        with pytest.raises(ProtocolBroken, match="not an allowed host"):
            api.presign("a.txt")
        data_id = new_id()
        for url in ("file:///etc/passwd", server.elsewhere_url.replace("127.0.0.1", "[::1]")):
            server.script("download", faults.answer({"url": url}))
            with pytest.raises(ProtocolBroken):
                api.download_raw(data_id, 10)
            with pytest.raises(ProtocolBroken):
                api.put_part(url, b"secret spectrum")
    assert not {"put", "fetch", "elsewhere"} & {s.route for s in server.seen}


def test_the_result_of_another_entry_is_refused(api: OesApi, server: FaultServer) -> None:
    server.script("oes", faults.answer(faults.result(new_id())))
    with pytest.raises(ProtocolBroken, match="another entry"):
        api.get_oes(new_id())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["part", "url", "data_id", "upload_id", "candidates", "peak_id", "x"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_answer_is_taken_or_refused(answer: Any) -> None:
    readers: list[Callable[[], object]] = [
        lambda: presigned(answer, 1, lambda url: url),
        lambda: entries(answer),
        lambda: peaks({"detected_peaks": answer}),
    ]
    for read in readers:
        try:
            read()
        except ProtocolBroken as refusal:
            assert str(refusal).isprintable()


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (PART_BYTES - 1, 1), (PART_BYTES, 1), (PART_BYTES + 1, 2)])
def test_files_are_cut_at_40_mib(size: int, parts: int) -> None:
    pieces = split(bytes(size))
    assert len(pieces) == parts
    assert sum(map(len, pieces)) == size
    assert all(len(p) == PART_BYTES for p in pieces[:-1])

"""What is watched in a daemon: rows that are stored become events, documents and notices; by HTTP as well."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.daemon.store.making import NOW, analysis, capture, device, entry
from tests.daemon.web import spectra
from tests.support.stores import rot

from oesd.config import parse_config
from oesd.model import Recipe, RunRecord, utc_text
from oesd.service.backtesting import tried
from oesd.service.rules_at_work import mark_event
from oesd.service.telling import Teller, Tellers, teller_of
from oesd.service.watch_desk import WatchDesk
from oesd.service.watch_documents import alarms_summary
from oesd.service.watching import Watching
from oesd.service.ways import way_of
from oesd.store import Store
from oesd.store.named_traces import pack_readings
from oesd.web import Server, create_api

CONFIG = """
[[trace]]
name = "ratio"
value = "Cu_324.8 / Ar_750.4"
[[alarm]]
name = "low"
trace = "ratio"
below = 5.0
clear = 6.0
[[endpoint]]
name = "gone"
trace = "ratio"
rule = "cusum"
direction = "falls"
baseline = "10 s"
false_alarm_in = 10000
"""
TOKEN = {"X-API-KEY": "local-token-0123456789"}


def stored(store: Store, watching: Watching, second: int, value: float, run: int = 1, begun: datetime = NOW) -> str:
    number = watching.numbers["ratio"]
    record = RunRecord(f"run-{run}", "chamber-a", 1_000_000, True, begun, run * 10**15, "boot")
    sample = capture(
        seed=second, of=device("chamber-a", pixels=16), run_id=record.run_id, slot=second, boot_id="boot",
        taken_at_utc=begun + timedelta(seconds=1000 * run + second), monotonic_ns=run * 10**15 + second * 10**9,
    )  # fmt: skip
    made = entry(sample)
    store.save_capture(sample, made, upload=False, run=record).result(30)
    readings = pack_readings([(number, value, 0.1, 0), (watching.numbers["light"], 1e6, 1.0, 0)])
    store.save_result(made.data_id, analysis(store.measurement(made.data_id), (250.0,)), {}, readings).result(30)
    return made.data_id


def values(count: int = 30, end_at: int = 20) -> list[float]:
    return [10.0 + 0.1 * (k % 3) - (6.0 if k >= end_at else 0.0) for k in range(count)]


@contextmanager
def ended(server: Server) -> Iterator[None]:
    try:
        yield
    finally:
        server.stop()


def until(condition: Callable[[], Any]) -> Any:
    deadline_s = time.monotonic() + 60.0
    while not (found := condition()):
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def started(store: Store) -> Iterator[Watching]:
    watching = Watching(parse_config(CONFIG, "test"), store)
    told: list[Any] = []
    watching.publish_to(told.append)
    watching.told_here = told  # type: ignore[attr-defined]
    watching.start()
    yield watching
    watching.stop()


def test_a_run_is_followed_decided_and_told(store: Store, started: Watching) -> None:
    for second, value in enumerate(values()):
        stored(store, started, second, value)
        started.wake()
    until(lambda: started.idle() and len(started.events.latest()) == 2)
    alarm, endpoint = sorted(started.events.latest(), key=lambda event: event.kind)
    assert (alarm.document["to"], alarm.name) == ("raised", "low")
    assert endpoint.document["run_us"] >= 20_000_000
    assert {document["state"] for document in started.told_here} == {"raised", "reached"}  # type: ignore[attr-defined]
    assert started.alive
    result = tried(store, started.config, "gone", ["run-1"], "", 1, where="test")
    assert result["runs"][0]["same_as_live"] is True
    assert result["runs"][0]["fired"]["run_s"] == endpoint.document["run_us"] / 1e6


def test_a_restart_goes_on_where_it_was(store: Store) -> None:
    config = parse_config(CONFIG, "test")
    first = Watching(config, store)
    first.start()
    for second, value in enumerate(values()[:15]):
        stored(store, first, second, value)
    first.stop()
    assert first.idle()
    again = Watching(config, store)
    again.start()
    until(again.idle)
    assert again.book.at_work.at("gone", "chamber-a").watch.points == 15  # type: ignore[union-attr]
    for second, value in enumerate(values()[15:], start=15):
        stored(store, again, second, value)
    again.stop()
    third = Watching(config, store)
    third.start()
    third.stop()
    events = store.read(lambda db: db.execute("SELECT kind, name FROM watch_events ORDER BY kind").fetchall())
    assert events == [("alarm", "low"), ("endpoint", "gone"), ("endpoint", "gone")]  # that it is on, and its decision
    assert [(event.kind, event.name) for event in third.events.latest()] == [("alarm", "low"), ("endpoint", "gone")]
    assert third.book.states["low", "chamber-a"].phase.value == "raised"


def test_a_damaged_block_keeps_no_daemon_from_starting(store: Store) -> None:
    config = parse_config(CONFIG, "test")
    first = Watching(config, store)
    stored(store, first, 0, 10.0)
    damaged = (
        "INSERT INTO named_blocks (device_name, last_order, first_us, last_us, first_run, last_run, spectra) "
        "SELECT device_name, 0, 0, 1, 1, 1, x'00' FROM named_tail"
    )
    store.write(lambda db: db.execute(damaged)).result(30)
    again = Watching(config, store)
    again.start()
    stored(store, again, 1, 1.0)
    again.wake()
    until(lambda: [event for event in again.events.latest() if event.name == "low"])
    again.stop()


def test_a_damaged_event_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    """The newest event of an alarm is where a daemon goes on: when it had rotted, none started any more."""
    config = parse_config(CONFIG, "test")
    with Store.open(tmp_path) as store:
        first = Watching(config, store)
        first.start()
        for second, value in enumerate(values()):
            stored(store, first, second, value)
        first.stop()
        first.acknowledge("low", "chamber-a", "ann")
    rot(tmp_path, 'UPDATE watch_events SET document = replace(document, \'"to":"ack\', \'"to":"oak\')')
    rot(tmp_path, "UPDATE watch_events SET document = '{' WHERE kind = 'endpoint' AND order_no > 0")
    with Store.open(tmp_path) as store:
        again = Watching(config, store)
        again.start()
        assert again.book.states["low", "chamber-a"].phase.value == "raised"  # as the event before has it
        until(again.idle)
        told = WatchDesk(store, again).events(None, None, 10)
        assert [(one["to"], one["at_utc"] is None) for one in told] == [
            ("damaged", True), ("raised", False), ("damaged", True)
        ]  # fmt: skip
        assert WatchDesk(store, again).series("ratio", "chamber-a", None, None) is not None
        tested = tried(store, config, "gone", ["run-1"], "", 1, where="test")["runs"]
        assert [one["same_as_live"] for one in tested] == [None]
        again.stop()
        assert len(again.events.latest()) == 3  # the decision is there, and is not made once more


@pytest.mark.parametrize(
    "document", ["[]", "7", '{"from":"ok","to":"rXised"}', '{"from":"ok","to":[]}', '{"from":"ok"}']
)
def test_an_event_of_an_earlier_version_makes_sense_or_is_damaged(store: Store, document: str) -> None:
    insert = "INSERT INTO watch_events VALUES (1, 5, 'alarm', 'low', 'chamber-a', 0, 0, '', ?)"
    store.write(lambda db: db.execute(insert, (document,))).result(30)
    again = Watching(parse_config(CONFIG, "test"), store)
    assert again.book.states == {}
    assert [event.is_damaged for event in again.events.latest()] == [True]


def test_a_reload_and_a_stop_wait_for_no_mail_server() -> None:
    """Three actions that hung kept the main thread for 30 s each: the watchdog ended the daemon."""
    hangs = '[[action]]\nname = "a{}"\ncommand = ["sleep", "4"]\n'
    three, two = "".join(map(hangs.format, range(3))), hangs.format(0) + hangs.format(1).replace('"4"', '"5"')
    tellers = Tellers()
    tellers.use(parse_config(three, "test").action)
    begun_s = time.monotonic()
    tellers.tell(["a0", "a1", "a2"], {"name": "x"})
    tellers.use(parse_config(two, "test").action)
    assert [state["name"] for state in tellers.states()] == ["a0", "a1"]
    tellers.stop(0.2)
    assert time.monotonic() < begun_s + 2.0


def test_what_waits_is_told_when_its_action_is_changed(tmp_path: Path) -> None:
    config = parse_config(f'[[action]]\nname = "a"\ncommand = ["mkdir", "{tmp_path}/told"]\n', "test")
    teller = teller_of(config.action[0])
    teller.start()
    teller.tell({"name": "x"})
    teller.retire()
    until((tmp_path / "told").is_dir)
    teller.join(10)


def test_all_of_it_by_http(store: Store, started: Watching) -> None:
    for second, value in enumerate(values()):
        stored(store, started, second, value)
    for second, value in enumerate(values(30, 99)):
        stored(store, started, second, value, run=2)
    started.wake()
    until(lambda: started.idle() and len(started.events.latest()) == 3)
    desk = WatchDesk(store, started)
    app = create_api(store, status=dict, healthy=lambda: True, token=TOKEN["X-API-KEY"], watching=desk)
    server = Server(app, "127.0.0.1", 0)
    server.start()
    with ended(server), httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        listed = client.get("/traces").json()["traces"]
        assert [one["name"] for one in listed] == ["light", "axis_shift", "line_spread", "ratio"]
        assert listed[-1]["last"]["value"] == pytest.approx(10.2, abs=0.1)
        one = client.get("/traces", params={"name": "ratio", "points": 10}).json()
        assert len(one["value"]) <= 10
        assert (one["runs"], set(one["state"])) == (["run-1", "run-2"], {"measured"})
        assert {event["name"] for event in one["events"]} == {"low", "gone"}
        assert client.get("/traces?name=ratio", headers={"accept": "text/csv"}).text.count("\n") == 61
        assert client.get("/traces?line=Ar_750.4").json()["state"][0] == "no peak"
        assert client.get("/traces?nm=250").json()["value"][0] > 0
        assert client.get("/traces?name=nothing").status_code == 404
        refused = client.get("/traces?line=Ar_751.9")
        assert (refused.status_code, "nearest is" in refused.text) == (422, True)
        alarms = client.get("/alarms").json()
        assert [one["state"] for one in alarms["alarms"]] == ["cleared"]
        assert [one["state"] for one in alarms["endpoints"]] == ["watching"]
        assert client.get("/alarms/events").json()["events"][0]["to"] == "cleared"
        assert client.post("/alarms/low/acknowledge", json={"by": "mk"}).status_code == 401
        assert client.post("/alarms/low/acknowledge", json={"by": "mk"}, headers=TOKEN).json() == {
            "acknowledged": ["chamber-a"]
        }
        assert client.post("/alarms/low/acknowledge", json={}, headers=TOKEN).status_code == 409
        assert client.post("/alarms/no/acknowledge", json={}, headers=TOKEN).status_code == 404
        tested = client.post("/backtest", json={"rule": "gone"}, headers=TOKEN).json()
        assert [run["same_as_live"] for run in tested["runs"]] == [True, True]  # one decided, one silent
        own = {"trace": "ratio", "rule": "level", "direction": "falls", "level": 5.0}
        tested = client.post("/backtest", json={"rule": own, "run_id": "run-1"}, headers=TOKEN).json()
        assert tested["runs"][0]["fired"]["run_s"] == 20.0
        assert len(tested["runs"][0]["trace"]["value"]) == 30
        for rule, said in (
            ("no", "there is no endpoint"),
            ({**own, "levle": 3}, "levle"),
            ({"rule": "cusum"}, "trace"),
        ):
            refused = client.post("/backtest", json={"rule": rule}, headers=TOKEN)
            assert (refused.status_code, said in refused.text) == (422, True)
        compared = client.get("/compare?run=run-1&golden=run-2").json()
        assert (compared["run"], compared["golden"]) == ("run-1", "run-2")
        assert client.get("/compare?run=run-1").status_code == 422
        assert client.get("/compare?run=run-1&golden=nothing").status_code == 422


def same_as_live(store: Store, *runs: str) -> list[bool | None]:
    result = tried(store, parse_config(CONFIG, "test"), "gone", runs, "", 1, where="test")
    return [run["same_as_live"] for run in result["runs"]]


def test_runs_analysed_in_turns_over_a_restart_are_decided_as_a_back_test_does(store: Store) -> None:
    config = parse_config(CONFIG, "test")
    first = Watching(config, store)
    first.start()
    for second, value in enumerate(values()[:18]):
        stored(store, first, second, value)
    first.stop()
    again = Watching(config, store)
    again.start()
    for second, value in enumerate(values(30, 15)):  # what waited of run 1 comes between the spectra of run 2
        stored(store, again, second, value, run=2)
        if second < 12:
            stored(store, again, 18 + second, values()[18 + second])
    again.stop()
    third = Watching(config, store)  # it reads run 1, whose last spectrum came before the last of run 2, no more
    third.start()
    third.stop()
    decided = [event for event in third.events.latest() if event.kind == "endpoint"]
    assert len(decided) == 2
    assert third.book.at_work.at("gone", "chamber-a").run_no == 2  # type: ignore[union-attr]
    assert same_as_live(store, "run-1", "run-2") == [True, True]


def test_what_live_missed_is_said_and_what_it_was_not_asked_is_not(store: Store) -> None:
    idle = Watching(parse_config(CONFIG, "test"), store)  # measures, and nobody follows
    for run in (1, 2, 3):
        for second, value in enumerate(values(30, 20 if run < 3 else 99)):
            stored(store, idle, second, value, run)
    assert same_as_live(store, "run-1", "run-3") == [None, None]  # no rule was on
    rule = idle.book.rules["gone"]
    rows = {row.run_no: row for row in idle.named.rows_after(0)}
    idle.events.add([mark_event(rule, row) for row in rows.values()]).result(30)
    assert same_as_live(store, "run-1", "run-3") == [False, True]
    said = tried(store, idle.config, "gone", ["run-1"], "", 1, where="test")["sentence"]
    assert "1 otherwise than live" in said


def test_a_rule_that_was_taken_away_is_not_blamed_for_what_came_later(store: Store) -> None:
    whole, without = parse_config(CONFIG, "test"), parse_config(CONFIG.partition("[[endpoint]]")[0], "test")
    watching = Watching(whole, store)
    watching.start()
    for second, value in enumerate(values()[:15]):
        stored(store, watching, second, value)
    watching.wake()
    until(watching.idle)
    watching.use(without)
    for second, value in enumerate(values()[15:], start=15):
        stored(store, watching, second, value)
    watching.stop()
    assert same_as_live(store, "run-1") == [None]


def test_an_analysis_made_again_is_another_value_and_no_event(store: Store, started: Watching) -> None:
    data_id = stored(store, started, 0, 10.0)
    again = analysis(store.measurement(data_id), (250.0,), recipe=Recipe(fwhm_nm=3.0))
    store.save_result(data_id, again, {}, pack_readings([(started.numbers["ratio"], 1.0, 0.1, 0)])).result(30)
    until(started.idle)
    assert started.events.latest() == []
    assert WatchDesk(store, started).series("ratio", "", None, None)[1]["value"] == [1.0]


NOTICE = {"name": "low", "device": "chamber-a", "state": "raised", "value": 4.0, "text": "ratio; rm -rf / \n$(x)"}


def action(text: str) -> Any:
    return way_of(parse_config(f'[[action]]\nname = "x"\ntimeout = "5 s"\n{text}', "test").action[0])


def told(way: Any, notices: int = 1) -> dict[str, Any]:
    teller = Teller("x", "kind", way, pauses_s=(0.01, 0.01))
    teller.start()
    for _ in range(notices):
        teller.tell(NOTICE)
    until(teller.idle)
    teller.ask_to_stop()
    teller.join(10)
    return teller.state()


def test_a_command_gets_its_words_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = f"import sys; open({str(out)!r}, 'w').write(repr(sys.argv[1:]))"
    words = [sys.executable, "-c", script, "{name}", "{text}"]
    assert told(action(f"command = {words!r}"))["state"] == "ok"
    assert out.read_text() == repr(["low", "ratio; rm -rf /  $(x)"])


def test_an_action_that_fails_is_tried_three_times_and_shown(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = f"open({str(out)!r}, 'a').write('x'); raise SystemExit(3)"
    state = told(action(f"command = {[sys.executable, '-c', script]!r}"))
    assert (state["state"], out.read_text()) == ("failed", "xxx")
    assert "ended with status 3" in state["text"]
    assert "cannot be run" in told(action('command = ["/no/such/program"]'))["text"]
    assert "mail by" in told(action(
        'mail_to = ["a@lab"]\nmail_from = "b@lab"\nmail_server = "127.0.0.1"\nmail_port = 9\nmail_tls = "none"'
    ))["text"]  # fmt: skip


def test_a_hook_is_posted_to_and_nothing_waits_for_it() -> None:
    bodies: list[bytes] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204 if len(bodies) > 1 else 503)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        state = told(action(f'url = "http://127.0.0.1:{server.server_port}/alarm"'))
        server.shutdown()
        serving.join()
    assert state["state"] == "ok"
    assert len(bodies) == 2
    assert b'"name": "low"' in bodies[0]


def test_a_failed_action_needs_a_person_while_it_is_news() -> None:
    failed = {"name": "mail", "state": "failed", "text": "no server", "last_at_utc": utc_text(NOW)}
    actions = [failed, {**failed, "name": "hook", "state": "ok"}]
    low = dict.fromkeys(("name", "device", "since_utc", "text", "level"), "") | {"state": "cleared"}
    later = NOW + timedelta(hours=2)
    for alarms, now, worst in (
        ([], NOW, "bad"),
        ([], later, "wait"),
        ([{**low, "needs_acknowledge": True}], later, "bad"),
    ):
        summary = alarms_summary(alarms, actions, now)
        assert [one["name"] for one in summary["failed"]] == ["mail"]
        assert (summary["worst"], summary["failed"][0]["level"]) == (worst, worst)
    assert alarms_summary([], actions[1:], NOW)["worst"] == "good"


GOLDEN = '[[alarm]]\nname = "drifts"\nkind = "drift"\ntrace = "{}"\nabove = 4.0\nreference = "golden"\n'


def test_a_golden_run_chosen_later_is_what_drifts_are_measured_from(store: Store) -> None:
    golden: dict[str, str] = {}
    watching = Watching(parse_config(CONFIG + GOLDEN.format("ratio"), "test"), store, golden=lambda: golden)
    watching.start()
    try:
        for second in range(4):
            stored(store, watching, second, 10.0)
        desk = WatchDesk(store, watching, lambda: golden)
        (drifts,) = (one for one in desk.alarms()["alarms"] if one["name"] == "drifts")
        assert "no golden run has values of ratio" in drifts["text"]
        golden["chamber-a"] = "run-1"
        watching.compare_anew()
        assert watching.references == {("ratio", "chamber-a"): 10.0}
        stored(store, watching, 0, 20.0, run=2)
        watching.wake()
        until(lambda: any(event.name == "drifts" for event in watching.events.latest()))
        for second in range(1, 4):
            stored(store, watching, second, 20.0, run=2)
        assert desk.compare("run-2", "", "")["golden"] == "run-1"
    finally:
        watching.stop()


def test_a_trace_nobody_had_asked_for_is_measured_in_the_golden_run_now(store: Store) -> None:
    one = spectra.device(pixels=512)
    run = RunRecord("run-1", one.name, 1_000_000, True, NOW, 0, "boot")
    for seed in range(3):
        sample = replace(spectra.capture(one, seed=seed, sequence=seed), run_id=run.run_id)
        made = entry(sample)
        store.save_capture(sample, made, upload=False, run=run).result(30)
        store.save_result(made.data_id, spectra.analysis(one.wavelengths_nm, sample.counts), {}).result(30)
    config = parse_config(CONFIG + GOLDEN.format("integral(600, 620)"), "test")
    watching = Watching(config, store, golden=lambda: {one.name: "run-1"})
    ((key, mean),) = watching.references.items()
    assert key == ("integral(600, 620)", one.name)
    assert mean == pytest.approx(20.0 * 1600.0 / 0.02, rel=0.05)  # 1480 of the dark and 120 of light, in 20 ms

"""The keeper's thread: it looks before the first spectrum, keeps looking, and says what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.daemon.store.making import capture, entry
from tests.daemon.store.test_keeping import Desk

from oesd.config import parse_config
from oesd.service.keeping import Keeper, keeping_rules
from oesd.store import Store, StoreFull
from oesd.store.keeping import KeepingRules

_MUCH = 10**15


def test_the_section_is_what_the_store_is_asked_for() -> None:
    assert keeping_rules(parse_config("", "here").store) == KeepingRules(keep_confirmed_us=7 * 86_400_000_000)
    text = """[store]
    on_full = "drop_confirmed"
    min_free = "2 GB"
    max_size = "1.5 TB"
    keep_confirmed = "0"
    full_rate = "30 d"
    """
    rules = keeping_rules(parse_config(text, "here").store)
    assert (rules.on_full, rules.min_free_bytes, rules.max_bytes) == ("drop_confirmed", 2 * 10**9, 15 * 10**11)
    assert (rules.keep_confirmed_us, rules.full_rate_us, rules.thin_to_us) == (0, 30 * 86_400_000_000, 60_000_000)


def test_a_full_disk_is_known_before_the_first_spectrum_and_room_is_made(tmp_path: Path) -> None:
    beats: list[str] = []
    with Store.open(tmp_path) as store:
        desk = Desk(store, KeepingRules())
        for slot in range(30):
            desk.upload(desk.spectrum(slot))
        keeper = Keeper(store, KeepingRules(min_free_bytes=_MUCH), lambda name, _: beats.append(name))
        keeper.start()
        try:
            with pytest.raises(StoreFull, match="no room"):
                sample = capture()
                store.save_capture(sample, entry(sample), upload=True).result(10)
            assert keeper.alive
            assert keeper.state()["level"] == "full"
        finally:
            keeper.stop()
        keeper = Keeper(store, KeepingRules("drop_confirmed", min_free_bytes=_MUCH), lambda name, _: beats.append(name))
        keeper.start()
        deadline = time.monotonic() + 30
        while sum(store.tally().tombstoned.values()) < 29 and time.monotonic() < deadline:
            time.sleep(0.01)
        keeper.stop()
        assert store.tally().tombstoned == {"confirmed": 29}
        assert not keeper.alive
    assert set(beats) == {"keeping"}


def test_a_store_that_refuses_is_told_not_fatal(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    keeper = Keeper(store, KeepingRules(), lambda _name, _within_s: None)
    store.close()
    keeper.start()
    assert keeper.state()["line"] == "the store is closed"
    assert keeper.alive
    keeper.stop()

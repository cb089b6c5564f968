"""A key that is missing stops no measuring: nothing is forwarded, and it is said why and what to do."""

import logging
from pathlib import Path

import pytest

from oesd.config import parse_config
from oesd.service.forwarding import Forwarding
from oesd.service.keyless import Keyless, see_key
from oesd.store import Store
from oesd.upload import ApiKeyError

ENDPOINT = '[upload]\nendpoint = "https://127.0.0.1:1/"\n'


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "data")
    yield opened
    opened.close()


def forwarding(store: Store, text: str = ""):
    return Forwarding.of(parse_config(ENDPOINT + text, "test"), None, store, lambda _name, _within_s: None)


def section(text: str):
    return parse_config(ENDPOINT + text, "test").upload


@pytest.mark.parametrize("content", [None, "absent"])
def test_without_a_key_it_waits_and_says_what_to_do(
    content: str | None, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    if content is not None:  # what the shipped unit hands over where no key was set
        (tmp_path / "api-key").write_text(content)
        (tmp_path / "api-key").chmod(0o400)
    found = forwarding(store)
    assert isinstance(found, Keyless)
    with caplog.at_level(logging.ERROR):
        found.start()
    assert "spectra wait" in caplog.text
    state = found.state()
    assert state["state"] == "no key"
    assert "oesd key set" in state["blocked"]
    assert state["counts"] == store.outbox.counts()
    found.stop()


def test_without_systemd_and_key_file_it_is_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert isinstance(forwarding(store), Keyless)


def test_a_key_that_others_can_read_still_refuses_to_start(store: Store, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("canary-0123456789")
    key.chmod(0o644)
    with pytest.raises(ApiKeyError, match="mode 0644"):
        forwarding(store, f'key_file = "{key}"\n')
    with pytest.raises(ApiKeyError, match="mode 0644"):
        see_key(section(f'key_file = "{key}"\n'))


@pytest.mark.parametrize("content", ["", "two\nlines-0123456789\n", "schlüssel-0123456789"])
def test_what_is_no_key_is_no_reason_not_to_measure(content: str, store: Store, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(content)
    key.chmod(0o600)
    see_key(section(f'key_file = "{key}"\n'))
    found = forwarding(store, f'key_file = "{key}"\n')
    assert isinstance(found, Keyless)
    assert str(key) in found.state()["blocked"]


def test_the_services_own_key_is_taken_from_systemd(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api-key").write_text("canary-0123456789\n")
    (tmp_path / "api-key").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    found = forwarding(store)
    assert isinstance(found, Forwarding)

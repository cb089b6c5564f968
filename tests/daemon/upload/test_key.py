"""The key file's rules, and that the key does not show itself."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.upload import ApiKey, ApiKeyError, ApiKeyMalformed, load_key

CANARY = "canary-8d1f-never-shown"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "api-key"
    path.write_text(CANARY + "\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("content", [CANARY, CANARY + "\n", CANARY + "\r\n", "x" * 256, "8letters"])
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read(key_file: Path, content: str, mode: int) -> None:
    key_file.write_bytes(content.encode())
    key_file.chmod(mode)
    assert load_key(key_file).reveal() == content.strip()


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o660, 0o700, 0o666, 0o4600])
def test_a_file_that_others_may_read_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    _refused(key_file, f"mode {mode:04o}, must be 0600 or 0400")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"7chars.",
        b"x" * 257,
        b"x" * 5000,
        CANARY.encode() + b"\n\n",
        b"two words " + CANARY.encode(),
        CANARY.encode() + b"\nsecond line",
        CANARY.encode() + b"\x00",
        CANARY.encode() + "ü".encode(),
        b"\xff\xfe" + CANARY.encode(),
    ],
)
def test_a_file_that_holds_no_key_is_refused_without_quoting_it(key_file: Path, content: bytes) -> None:
    key_file.write_bytes(content)
    assert type(_refused(key_file, "8 to 256 visible ASCII characters")) is ApiKeyMalformed
    key_file.chmod(0o644)  # that others can read it is worse, and stops the daemon
    assert type(_refused(key_file, "mode 0644")) is ApiKeyError


def test_what_is_no_regular_file_is_refused(key_file: Path, tmp_path: Path) -> None:
    link, fifo = tmp_path / "link", tmp_path / "fifo"
    link.symlink_to(key_file)
    os.mkfifo(fifo, 0o600)
    tmp_path.chmod(0o700)
    _refused(link, "symbolic link")
    _refused(fifo, "not a regular file")
    _refused(tmp_path, "not a regular file")
    _refused(tmp_path / "absent", "No such file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owners(key_file: Path) -> None:
    os.chown(key_file, 12345, -1)
    _refused(key_file, "owned by user 12345")
    assert load_key(key_file, 12345).reveal() == CANARY  # root looks after the key of a service
    with pytest.raises(ApiKeyError, match="owned by user 12345, not by user 12346 or root"):
        load_key(key_file, 12346)
    os.chown(key_file, 0, 0)
    key_file.chmod(0o440)  # as systemd hands over a credential on a file system with access lists
    assert load_key(key_file).reveal() == CANARY
    os.chown(key_file, 0, 12345)
    key_file.chmod(0o440)
    _refused(key_file, "mode 0440")


def test_a_key_prints_as_stars() -> None:
    key = ApiKey(CANARY)
    shown = [repr(key), str(key), f"{key}", f"{key!r}", f"{key:>40}", str([key]), str({"k": key})]
    assert not any(CANARY in text for text in shown)
    assert str(key) == "***"
    assert key.redact(f"you sent {CANARY}, twice {CANARY}") == "you sent ***, twice ***"


def test_a_key_is_not_copied_into_bytes() -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(ApiKey(CANARY))
    assert not hasattr(ApiKey(CANARY), "__dict__")


@pytest.mark.parametrize("bad", [CANARY + "\n", CANARY + " ", "ü" + CANARY, "\ud800" + CANARY, ""])
def test_a_bad_key_is_in_no_traceback_even_with_locals(bad: str) -> None:
    with pytest.raises(ApiKeyError) as caught:
        ApiKey(bad)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [f for f in frames.stack if f.filename.endswith("key.py") and "test_key" not in f.filename]
    assert ours
    assert not any(CANARY in value for f in ours for value in (f.locals or {}).values())
    assert CANARY not in str(caught.value)


def test_a_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("oesd.test").warning("key %s %r", ApiKey(CANARY), ApiKey(CANARY))
    assert CANARY not in caplog.text


@given(st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=256))
def test_every_visible_ascii_key_is_one(value: str) -> None:
    assert ApiKey(value).reveal() == value


@given(st.binary(max_size=300))
def test_any_file_is_a_key_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("key") / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        key = load_key(path)
    except ApiKeyError as error:
        assert "\n" not in str(error)
    else:
        assert 8 <= len(key.reveal()) <= 256


def _refused(path: Path, reason: str) -> ApiKeyError:
    with pytest.raises(ApiKeyError, match=reason) as caught:
        load_key(path)
    text = str(caught.value)
    assert CANARY not in text
    assert "\n" not in text
    assert str(path) in text
    assert caught.value.__cause__ is None
    return caught.value

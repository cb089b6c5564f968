"""Where the key rests: mode, place, no trace of it elsewhere."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from oesd.cli.key import key
from oesd.host import HostError, remove_key, set_key
from oesd.upload import load_key

CANARY = "canary-0123456789"


def test_the_plain_file_is_roots_alone(tmp_path: Path) -> None:
    file = set_key(CANARY, tmp_path)
    assert file == tmp_path / "etc/oesd/api-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_key(file).reveal() == CANARY
    assert [p.name for p in file.parent.iterdir()] == ["api-key"]


def test_another_key_replaces_it_and_removing_leaves_nothing(tmp_path: Path) -> None:
    set_key("first-key-0000", tmp_path)
    file = set_key(CANARY, tmp_path)
    assert load_key(file).reveal() == CANARY
    assert remove_key(tmp_path) == [file]
    assert remove_key(tmp_path) == []
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_folder_that_cannot_be_written_is_one_line_without_the_key(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("")
    with pytest.raises(HostError) as caught:
        set_key(CANARY, tmp_path)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("given", [CANARY, CANARY + "\n", f"  {CANARY}\r\n"])
def test_the_command_reads_standard_input_and_shows_nothing(given: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(key, ["set", "--root", str(tmp_path)], input=given)
    assert done.exit_code == 0, done.output
    assert CANARY not in done.output
    assert load_key(tmp_path / "etc/oesd/api-key").reveal() == CANARY


@pytest.mark.parametrize("given", ["", "short", "two words of it", "x" * 300])
def test_what_is_no_key_is_refused_unquoted(given: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(key, ["set", "--root", str(tmp_path)], input=given)
    assert done.exit_code == 2
    assert "8 to 256 visible ASCII characters" in done.output
    assert not given or given not in done.output
    assert not list(tmp_path.iterdir())

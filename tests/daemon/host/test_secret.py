"""Where the key rests: mode, place, no trace of it elsewhere."""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from oesd.cli.key import key
from oesd.host import HostError, remove_key, set_key
from oesd.host.secret import ENCRYPTED, HANDED, NAME, PLAIN, _sealed, unsealed
from oesd.host.shipped import shipped
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


# -- sealed --------------------------------------------------------------------------------------------------------


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    text = _sealed(CANARY, must=False) if os.geteuid() == 0 else None
    if text is None:
        pytest.skip("systemd-creds seals nothing here")
    file = tmp_path / ENCRYPTED.name
    file.write_text(text)
    return file


def test_a_sealed_key_holds_no_trace_of_it_and_comes_out_again(sealed: Path) -> None:
    assert CANARY not in sealed.read_text()
    assert unsealed(sealed).strip() == CANARY


def test_a_seal_that_is_broken_is_one_line(sealed: Path) -> None:
    sealed.write_text(sealed.read_text().swapcase())
    with pytest.raises(HostError, match="cannot be unsealed on this machine") as caught:
        unsealed(sealed)
    assert "\n" not in str(caught.value)


def unit(key: str) -> list[str]:
    return re.findall(rf"(?m)^{key}=(.*)$", shipped("systemd/oesd-key.service"))


def test_the_unit_that_unseals_it_and_this_program_mean_the_same_files() -> None:
    assert set(unit("ConditionPathExists")) == {f"|{PLAIN}", f"|{ENCRYPTED}"}
    (command,) = unit("ExecStart")
    assert f"--name={NAME} {ENCRYPTED} {HANDED}" in command
    assert f"cp {PLAIN} {HANDED}" in command
    assert f"/run/{unit('RuntimeDirectory')[0]}/{NAME}" == str(HANDED)
    assert re.findall(r"(?m)^LoadCredential=(.*)$", shipped("systemd/oesd.service")) == [f"{NAME}:{HANDED}"]


def handed_over(place: Path) -> tuple[int, Path]:
    """Run what the unit runs, on files below a folder."""
    (command,) = unit("ExecStart")
    shell, option, script = shlex.split(command)
    for path in (PLAIN, ENCRYPTED, HANDED):
        script = re.sub(
            rf"(?<![\w/]){path}(?![\w.])", str(place / path.name) + (".out" if path == HANDED else ""), script
        )
    done = subprocess.run([shell, option, f"umask 077; {script}"], capture_output=True, text=True, check=False)
    assert CANARY not in done.stdout + done.stderr
    return done.returncode, place / f"{NAME}.out"


def test_what_the_unit_runs_hands_over_a_plain_key(tmp_path: Path) -> None:
    (tmp_path / PLAIN.name).write_text(CANARY + "\n")
    status, out = handed_over(tmp_path)
    assert status == 0
    assert load_key(out).reveal() == CANARY


def test_what_the_unit_runs_unseals_and_hands_over_nothing_where_it_cannot(sealed: Path) -> None:
    status, out = handed_over(sealed.parent)
    assert status == 0
    assert load_key(out).reveal() == CANARY
    out.unlink()
    sealed.write_text("of another machine")
    status, out = handed_over(sealed.parent)
    assert status != 0
    assert not out.exists()


# -- the command, given wrongly ------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", [CANARY, f"--{CANARY}", f"-{CANARY}", f"--key={CANARY}"])
def test_a_key_given_as_an_argument_is_refused_unquoted(argument: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(key, ["set", "--root", str(tmp_path), argument], input=CANARY)
    assert done.exit_code == 2
    assert "the key is no argument" in done.output
    assert CANARY not in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [(CANARY,), (f"--{CANARY}",), (f"--key={CANARY}", "set"), ("remove", CANARY)])
def test_a_key_in_any_place_is_refused_unquoted(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(key, words, input=CANARY)
    assert done.exit_code == 2
    assert "the key is no argument" in done.output and "oesd key set" in done.output
    assert CANARY not in done.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_look_is_told_in_one_line(tmp_path: Path) -> None:
    """Even where the folder itself is closed."""
    closed = tmp_path / "etc" / "oesd"
    closed.mkdir(parents=True)
    for folder in (*tmp_path.parents, tmp_path):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    closed.chmod(0o700)
    become = "import os, oesd.host; from oesd.cli.key import key; os.setuid(65534)"
    script = f"{become}; key(['remove', '--root', {str(tmp_path)!r}])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr == f"oesd: {closed / 'api-key'} cannot be removed: Permission denied\n"


def test_a_key_is_sealed_to_no_other_root(tmp_path: Path) -> None:
    done = CliRunner().invoke(key, ["set", "--root", str(tmp_path), "--encrypt"], input=CANARY)
    assert done.exit_code == 2
    assert "sealed to the machine that runs" in done.output
    assert not list(tmp_path.iterdir())


def test_a_closed_standard_input_is_one_line(tmp_path: Path) -> None:
    script = "import sys; sys.stdin = None; from oesd.cli.key import key; key()"
    command = [sys.executable, "-c", script, "set", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "oesd: standard input is closed: the key is read from there, or asked for at a terminal\n"


def test_bytes_that_are_no_text_are_refused_unquoted(tmp_path: Path) -> None:
    done = CliRunner().invoke(key, ["set", "--root", str(tmp_path)], input=b"\xff\xfe" + CANARY.encode())
    assert done.exit_code == 2
    assert "8 to 256 visible ASCII characters" in done.output
    assert CANARY not in done.output


def test_removing_says_when_it_counts(tmp_path: Path) -> None:
    assert "there was no key" in CliRunner().invoke(key, ["remove", "--root", str(tmp_path)]).output
    set_key(CANARY, tmp_path)
    said = CliRunner().invoke(key, ["remove", "--root", str(tmp_path)]).output
    assert "sudo systemctl restart oesd" in said
    assert "daemon-reload" not in said

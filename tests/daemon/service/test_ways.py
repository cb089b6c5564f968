"""A command of the owner's: told once, whatever it leaves behind, says, or hangs on."""

from __future__ import annotations

import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from tests.support.daemons import until

from oesd.config import parse_config
from oesd.service.telling import NotTold, Way
from oesd.service.ways import way_of

NOTICE = {"name": "low", "state": "raised"}


def command(*words: str, timeout: str = "20 s") -> Way:
    text = f'[[action]]\nname = "a"\ncommand = {list(words)!r}\ntimeout = "{timeout}"\n'
    return way_of(parse_config(text, "test").action[0])


def test_a_command_that_leaves_another_behind_has_told(tmp_path: Path) -> None:
    begun_s = time.monotonic()
    command("sh", "-c", f"echo told >> {tmp_path}/out; sleep 15 &").tell(NOTICE)
    assert time.monotonic() - begun_s < 10
    assert (tmp_path / "out").read_text() == "told\n"


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(NotTold, match=r"took longer than 1 s"):
        command("sh", "-c", f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60'", timeout="1 s").tell(NOTICE)
    started = int((tmp_path / "pid").read_text())
    until(lambda: not Path(f"/proc/{started}").exists() or "\nState:\tZ" in Path(f"/proc/{started}/status").read_text())


def test_however_much_it_says_the_last_line_is_told_and_little_is_held() -> None:
    says = "import sys\nfor n in range(200):\n sys.stdout.write('x' * 100000)\n sys.stderr.write('y' * 100000)\n"
    tracemalloc.start()
    try:
        with pytest.raises(NotTold, match="ended with status 3: 'no tone'"):
            command(sys.executable, "-c", says + "sys.stderr.write('\\nno tone\\n')\nsys.exit(3)").tell(NOTICE)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_what_it_said_before_it_closed_its_stderr_is_told() -> None:
    with pytest.raises(NotTold, match="status 4: 'gone quiet'"):
        command("sh", "-c", "echo gone quiet >&2; exec 2>&-; sleep 0.2; exit 4").tell(NOTICE)


def test_keys_in_our_environment_are_not_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OESD_TOKEN", "AS_API_KEY"):
        monkeypatch.setenv(name, "canary")
    command("sh", "-c", f"env > {tmp_path}/out").tell(NOTICE)
    assert "PATH=" in (tmp_path / "out").read_text()
    assert "canary" not in (tmp_path / "out").read_text()

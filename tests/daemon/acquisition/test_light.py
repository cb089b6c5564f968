import sys
from pathlib import Path

import pytest

from oesd.acquisition import CommandLight, LightError
from oesd.model import Kind


def test_the_command_is_told_what_is_wanted(tmp_path: Path) -> None:
    said = tmp_path / "said"
    light = CommandLight(("sh", "-c", f'echo "$@" > {said}', "sh", "{kind}", "{serial}", "{name}"), 10)
    light.switch(Kind.DARK, "S $(x)", "n")
    assert said.read_text() == "dark S $(x) n\n"


@pytest.mark.parametrize(
    ("words", "timeout_s", "message"),
    [
        (("/no/such/program",), 5, "cannot be run"),
        ((sys.executable, "-c", "import sys; sys.exit('lamp is off')"), 20, "status 1.*lamp is off"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), 0.2, "longer than 0.2 s"),
    ],
)
def test_failures_are_one_line(words: tuple[str, ...], timeout_s: float, message: str) -> None:
    with pytest.raises(LightError, match=message):
        CommandLight(words, timeout_s).switch(Kind.SAMPLE, "S", "n")

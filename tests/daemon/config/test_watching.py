"""What is to be watched is checked before anything starts: file, line, what is wrong, what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from oesd.config import ConfigError, load_config
from oesd.service.watched import watched

CONFIG = Path(__file__).parents[3] / "config"


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        watched(load_config(path), str(path))
    return str(error.value).removeprefix(f"{path}, ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[trace]]\nname = "a"\nvalue = "Ar"\n[[trace]]\nname = "b"\n\nvalue = "F_703.9"', "line 7: trace.value: F has no"),  # noqa: E501
        ('[[trace]]\nname = "a"\nvalu = "Ar"', "line 3: unknown key 'valu'"),
        ('[[trace]]\nname = "light"\nvalue = "Ar"', "line 2: trace.0.name: 'light' is taken"),
        ('[[trace]]\nname = "a"\nvalue = "Ar"\n[[trace]]\nname = "a"\nvalue = "F"', "name 'a' stands twice"),
        ('[identify]\nfwhm_nm = 1.0\n[[trace]]\nname = "a"\nvalue = "Ar_420.1 / Ar_419.8"', "line 5: trace.value: Ar_420.1"),  # noqa: E501
        ('[[alarm]]\nname = "a"\nabove = 3.0', "line 1: alarm.trace: an alarm of kind 'threshold'"),
        ('[[alarm]]\nname = "a"\nkind = "disk"', "less: goes with kind"),
        ('[[alarm]]\nname = "a"\nkind = "missing"\nlonger = "1 s"', "line 4: alarm.longer: must be 1.5 times"),
        ('[[alarm]]\nname = "a"\ntrace = "Ar"\nabove = 1\nactions = ["mial"]\n[[action]]\nname = "mail"\ncommand = ["x"]',  # noqa: E501
         "unknown action 'mial'; did you mean 'mail'?"),
        ('[[endpoint]]\nname = "e"\ntrace = "Ar"\nrule = "cusum"\ndirection = "falls"', "line 1: endpoint.false_alarm_in"),  # noqa: E501
        ('[[action]]\nname = "x"\nurl = "http://plc.lab/x"', "must be https://"),
        ('[[action]]\nname = "x"\nurl = "https://me:pw@plc.lab/x"', "without user and password"),
        ('[[action]]\nname = "x"\nmail_to = ["a@b.c"]\nmail_from = "d@e.f"\nmail_server = "m"\nmail_user = "u"',
         "goes with mail_password_file"),
        ('[golden]\nby = "Xx"', "line 2: golden.by"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path / "oesd.toml", text)


def test_the_examples_of_the_shipped_file_are_good(tmp_path: Path) -> None:
    shipped = (CONFIG / "oesd.toml").read_text()
    examples = shipped[shipped.index("# [[trace]]") : shipped.index("[golden]")]
    lines = [line.removeprefix("# ") for line in examples.splitlines()]
    path = tmp_path / "oesd.toml"
    path.write_text("\n".join(lines) + '\n[golden]\nruns = ["run-1"]\n')
    found = watched(load_config(path), str(path))
    assert [rule.name for rule in found.rules] == ["oxide-open"]
    assert {alarm.kind for alarm in found.alarms} == {"threshold", "missing", "disk", "drift"}
    assert "F_703.7 / Ar_750.4" in str(list(found.traces)) or "f_ar" in found.traces


def test_the_simulated_file_watches_something() -> None:
    path = CONFIG / "simulated.toml"
    found = watched(load_config(path), str(path))
    assert {"ar", "cu_ar", "n2"} <= set(found.traces)
    assert found.alarms
    assert found.rules

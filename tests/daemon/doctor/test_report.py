"""The report for whoever helps: no secret leaves by it, from a good configuration or a broken one."""

import base64
import json
import os
import tarfile
import tomllib
import urllib.parse
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from oesd.cli.doctor import report
from oesd.doctor import Host
from oesd.doctor.bundle import redacted
from oesd.doctor.redaction import blotted, shown_configuration
from oesd.doctor.settings import settings

CANARY = "canary-0123456789"
SPOILED = [
    "{}",
    "{}\n[capture]\nevry = 1\n",
    "{}\n[capture\n",
    "this is no configuration\n{}\n",
    'name = "a quote forgotten\n{}\n',
]


def parts(target: Path) -> dict[str, str]:
    with tarfile.open(target) as bundle:
        return {m.name.removeprefix("oesd-report/"): bundle.extractfile(m).read().decode() for m in bundle.getmembers()}  # type: ignore[union-attr]


def reported(root: Path, text: str, *logged: str) -> dict[str, str]:
    """The parts of a report on a configuration, as they leave, with what was found in it and what is in the log."""
    file = root / "oesd.toml"
    file.write_text(text)
    found = json.dumps([finding.as_dict() for finding in settings(file)[1]])
    return redacted(text, {"doctor.json": found, "log.txt": "\n".join(logged)}, Host(root))


def leaks(texts: dict[str, str], secret: str = "0123456789") -> list[str]:
    return [f"{name}: {line}" for name, text in texts.items() for line in text.splitlines() if secret in line]


# -- what stands in the configuration ------------------------------------------------------------------------------

WRITTEN = [
    f'[upload]\nkey = "{CANARY}"',
    f'[upload]\napi_key = "{CANARY}"',
    f'[upload]\nkey_file = "{CANARY}"',
    f'[upload]\nendpoint = "{CANARY}"',
    f'[upload]\nendpoint = "https://me:{CANARY}@api.example.org/v1"',
    f'[upload]\nendpoint = "https://api.example.org/v1?key={CANARY}"',
    f'[upload]\nproxy = "{CANARY}"',
    f'[upload]\nproxy = "http://me:{CANARY}@proxy.lab:3128"',
    f'[upload]\nproxy = "http://me:some@thing{CANARY}@proxy.lab:3128"',
    f'[upload]\nproxy = "http://me:{CANARY}/x@proxy.lab:3128"',
    f'[upload]\nproxy = "http://{CANARY}@proxy.lab:3128"',
    f"[upload]\nkey = '{CANARY}'",
    f'[upload]\n"key" = "{CANARY}"',
    f'upload.key = "{CANARY}"',
    f'upload = {{ endpoint = "https://api.example.org", key = "{CANARY}" }}',
    f'upload = "{CANARY}"',
    f'[upload]\nkey = """\n{CANARY}\n"""',
    f'[upload]\napi_token = "{CANARY}"  # or api_token_file',
    f'[upload]\nkey_file = "/etc/oesd/key"  # {CANARY}',
    f'# password = "{CANARY}"',
    f"# the hub's key is {CANARY}",
    f'[hub]\nkey = "{CANARY}"',
    f'[[action]]\nname = "slack"\nurl = "https://hooks.example.org/services/T0/{CANARY}"',
    f'[[action]]\nname = "hook"\nurl = "https://hooks.example.org/x?token={CANARY}"',
    f'[[action]]\nname = "hook"\nurl = "https://me:{CANARY}@hooks.example.org/x"',
    f'[[action]]\nname = "call"\ncommand = ["/usr/bin/curl", "-u", "me:{CANARY}", "https://example.org"]',
    f'[[action]]\nname = "call"\ncommand = ["/usr/bin/tell", "--token", "{CANARY}"]',
    f'[[action]]\nname = "call"\ncommand = [\n  "/usr/bin/tell",\n  "--token={CANARY}",\n]',
    f'[[action]]\nname = "call"\ncommand = ["sh", "-c", "curl -H \'X-API-KEY: {CANARY}\' https://example.org"]',
    f'[[action]]\nname = "call"\ncommand = ["TOKEN={CANARY} tell"]',
    f'[[action]]\nname = "call"\ncommand = "tell --token {CANARY}"',
    f'[[action]]\nname = "mail"\nmail_password = "{CANARY}"',
    f'[[action]]\nname = "mail"\nmail_password_file = "{CANARY}"',
    f'[[action]]\nname = "mail"\nmail_user = "{CANARY}"',
    f'[light]\nurl = "http://lamp.lab/{{kind}}?password={CANARY}"',
    f'[light]\ncommand = ["lamp", "--password", "{CANARY}"]',
    f'[run]\nlabels = {{ password = "{CANARY}" }}',
    f'[run.labels]\npassword = "{CANARY}"',
    f'[store]\nurl = "postgresql://oesd:{CANARY}@db.lab/oesd"',
    f'[store]\nurl = "postgresql://db.lab/oesd?user=u&password={CANARY}"',
    f'[store]\nurl = "host=db.lab password={CANARY}"',
    f'[postgres]\npassword = "{CANARY}"',
    f'[[secrets]]\nname = "{CANARY}"',
    f'password = "{CANARY}"',
    f"pin = {CANARY.partition('-')[2]}",
]


@pytest.mark.parametrize("written", WRITTEN, ids=range(len(WRITTEN)))
def test_a_secret_in_the_configuration_does_not_leave(written: str, tmp_path: Path) -> None:
    for spoiled in SPOILED:
        texts = reported(tmp_path, spoiled.replace("{}", written))
        assert not leaks(texts), spoiled


# What nobody can tell from other words, or is not one word: a note, and part of a password.
NOT_KNOWN = ("# ", "some@thing", "/x@")


@pytest.mark.parametrize("written", [w for w in WRITTEN if not any(part in w for part in NOT_KNOWN)])
def test_what_is_withheld_there_is_blotted_out_of_the_log_too(written: str, tmp_path: Path) -> None:
    line = f"the command said: {CANARY} was wrong"
    for text in (written, f"{written}\n[capture]\nevry = 1\n"):
        assert reported(tmp_path, text, line)["log.txt"] in (
            "the command said: *** was wrong", "the command said: canary-*** was wrong",
        )  # fmt: skip


def test_what_is_harmless_is_shown_as_it_is(tmp_path: Path) -> None:
    text = (
        'data_dir = "/srv/oesd"\n[capture]\nevery = "1 s"\nscans = 3\n'
        '[upload]\nendpoint = "https://api.example.org/"\nkey_file = "/etc/oesd/key"\nbatch = 5\n'
        '[light]\ncommand = ["/usr/bin/lamp"]\n[identify]\nelements = ["Ga", "As"]\n'
        '[run]\nlabels = { chamber = "A" }\n[[trace]]\nname = "ar"\nvalue = "line(Ar, 750.4)"\n'
    )
    seen = tomllib.loads(reported(tmp_path, text)["configuration.toml"])
    assert seen == tomllib.loads(text)


def test_a_file_that_cannot_be_read_keeps_its_lines(tmp_path: Path) -> None:
    text = f'data_dir = "/srv/oesd"\n\n[upload]\nendpoint = "https://me:{CANARY}@api\nkey = {CANARY}\n[capture\n'
    texts = reported(tmp_path, text)
    assert texts["configuration.toml"].splitlines() == [
        "data_dir = ***",
        "",
        "[upload]",
        "endpoint = ***",
        "***",
        "***",
    ]
    assert "line 4" in texts["doctor.json"]


@given(st.text(max_size=200))
def test_any_text_is_shown_without_an_error(text: str) -> None:
    shown, withheld = shown_configuration(text)
    assert blotted(shown, withheld) is not None


# -- secrets in files ----------------------------------------------------------------------------------------------


@pytest.fixture
def rest(tmp_path: Path) -> dict[str, str]:
    """Secrets where they rest: what stands there, by its file."""
    secrets = {
        "etc/oesd/api-key": "service-canary",
        "run/oesd-key/api-key": "handed-canary",
        "srv/key": "own-canary",
        "srv/mail": "mail-canary",
        "srv/hub-key": "hub-canary",
        "srv/data/api-token": "token-canary",
        "srv/data/hub/api-key": "inner-canary",
        "var/lib/oesd/api-token": "usual-canary",
        "var/lib/oesd-hub/api-key": "site-canary",
    }
    for name, secret in secrets.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(secret + "\n")
    (tmp_path / "srv/two").write_text("first-canary\nsecond-canary\n")  # no key, but somebody's
    return {**secrets, "srv/two": "second-canary"}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_secret_that_rests_in_a_file_leaves_in_no_spelling(
    spoiled: str, rest: dict[str, str], tmp_path: Path
) -> None:
    named = (
        f'data_dir = "{tmp_path}/srv/data"\n[upload]\nkey_file = "{tmp_path}/srv/key"\n'
        f'[hub]\nkey_file = "{tmp_path}/srv/hub-key"\n[[action]]\nmail_password_file = "{tmp_path}/srv/mail"\n'
        f'[[action]]\nmail_password_file = "{tmp_path}/srv/two"\n'
    )
    spelled = [
        spell
        for secret in rest.values()
        for spell in (secret, urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
    ]
    texts = reported(tmp_path, spoiled.replace("{}", named), *(f"it said {one}!" for one in spelled))
    assert "it said ***" in texts["log.txt"]
    assert not [line for line in texts["log.txt"].splitlines() if any(one.rstrip("=") in line for one in spelled)]


# -- what stands where secrets stand -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("proxy = http://me:pass@host:1", "proxy = http://***@host:1"),
        ("via http://me:a/b?c@d@host:1/x went", "via http://***@host:1/*** went"),
        ("GET https://bucket.example.org/k?X-Amz-Signature=abc: 403", "GET https://bucket.example.org/*** 403"),
        ("X-API-KEY: abcdefgh12", "X-API-KEY: ***"),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ('"Authorization": "Basic bWU6cHc="', '"Authorization": "***"'),
        ('smtp_password = "hunter2"', 'smtp_password = "***"'),
        ('{"api_key": "abc", "n": 1}', '{"api_key": "***", "n": 1}'),
        ('{"password": "a \\" b"}', '{"password": "***"}'),
        ("dsn host=db password=hunter2 user=u", "dsn host=db password=*** user=u"),
        ("curl -u me:hunter2 x", "curl -u *** x"),
        ("tell --api-token hunter2 x", "tell --api-token *** x"),
        ("tell --password=hunter2 x", "tell --password=*** x"),
        ('["tell", "--token", "hunter2"]', '["tell", "--token", "***"]'),
        ("Environment=HTTPS_PROXY=x A_TOKEN=y", "Environment=***"),
        ("SetCredential=api-key:hunter2", "SetCredential=***"),
        ("SetCredential=api-key:absent", "SetCredential=api-key:absent"),
        ("LoadCredential=api-key:/run/oesd-key/api-key", "LoadCredential=api-key:/run/oesd-key/api-key"),
        ('key_file = "/etc/oesd/key"', 'key_file = "/etc/oesd/key"'),
        ("elements = [Ga]", "elements = [Ga]"),
        ("API key file /etc/oesd/key: mode 0644", "API key file /etc/oesd/key: mode 0644"),
        ("the page is at http://127.0.0.1:8520/ now", "the page is at http://127.0.0.1:8520/ now"),
    ],
)
def test_what_is_blotted_out(text: str, left: str) -> None:
    assert blotted(text, []) == left


# -- the command ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "[capture\n"], ids=["good", "broken"])
def test_a_report_holds_no_secret_and_never_overwrites(more: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "api-token").write_text("local-token-canary\n")
    key = tmp_path / "key"
    key.write_text(CANARY)
    key.chmod(0o600)
    file, target = tmp_path / "oesd.toml", tmp_path / "report.tar.gz"
    file.write_text(
        f'data_dir = "{data}"\n# {CANARY} local-token-canary\n[upload]\nendpoint = "https://127.0.0.1:1/"\n'
        f'key_file = "{key}"\nproxy = "http://user:word-canary@127.0.0.1:1"\n{more}'
    )
    done = CliRunner().invoke(report, ["--config", str(file), "--to", str(target)])
    assert done.exit_code == 0, done.output
    assert os.stat(target).st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir() if "report" in p.name] == ["report.tar.gz"]
    texts = parts(target)
    assert {"doctor.json", "status.json", "log.txt", "service.txt", "packages.txt"} <= set(texts)
    assert "data_dir" in texts["configuration.toml"]
    assert not leaks(texts, "canary")
    again = CliRunner().invoke(report, ["--config", str(file), "--to", str(target)])
    assert again.exit_code == 2
    assert "exists already" in again.output


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(report, ["--config", str(tmp_path / "x"), "--to", str(tmp_path / "no/report.tar.gz")])
    assert done.exit_code == 2
    assert "cannot be written: No such file or directory" in done.output

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.config import (
    Config,
    ConfigError,
    Mistake,
    config_of,
    keys_of,
    load_config,
    parse_config,
    parse_duration_us,
    section_in,
)
from oesd.service.checks import check

CONFIG = Path(__file__).parents[3] / "config"


def test_the_shipped_file_states_the_defaults() -> None:
    assert load_config(CONFIG / "oesd.toml") == Config()


def test_the_shipped_file_names_every_key() -> None:
    text = (CONFIG / "oesd.toml").read_text()
    for name, kind in keys_of(Config).items():
        assert name in text
        section = section_in(kind)
        for key in keys_of(section) if section else ():
            # Of what there may be several of, the file has examples: they name in words what they do not use.
            assert re.search(rf"\b{key}\b" if kind is not section else rf"\b{key} =", text), f"{name}.{key} is missing"


def test_the_simulated_file_is_good() -> None:
    config = load_config(CONFIG / "simulated.toml")
    assert config.simulation.enabled
    assert config.hub.enabled
    assert config.capture.every_us == 500_000


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[capture]\n\nintegraton = "20 ms"\n', 3, ["'integraton'", "[capture]", "did you mean 'integration'"]),
        ('data_dri = "/x"', 1, ["did you mean 'data_dir'"]),
        ('[trigger]\nwhen = "09:00"', 2, ["unknown key 'when' in [trigger]; there are mode, timeout"]),
        ('\n[captur]\nevery = "1 s"', 2, ["unknown key 'captur'", "did you mean 'capture'"]),
        ('[capture]\nevery = "1 fortnight"', 2, ["capture.every", "1 fortnight", "100 ms"]),
        ("[capture]\nevery = 3", 2, ["with its unit"]),
        ("[capture]\nscans = 0", 2, ["capture.scans", "a whole number, 1 or more"]),
        ('[capture]\nevery = "0"', 2, ["capture.every", 'must be "1 ms" or more']),
        ('[capture]\nevery = "999999 d"', 2, ["longer than a year"]),
        ("[capture]\nscans = 20", 1, ["every is shorter than 20 x integration"]),
        ('data_dir = "here"', 1, ["absolute path"]),
        ('data_dir = "/a\\u0000b"', 1, ["absolute path"]),
        ("[simulation]\ndevices = []", 2, ["at least one"]),
        ('[simulation]\ndevices = ["a:b", "a:b"]', 2, ["twice"]),
        ('[light]\ncommand = [""]', 2, ["must be a program"]),
        (
            '[[spectrometer]]\nserial = "A"\nname = "x"\n[[spectrometer]]\nserial = "B"\nname = "x"',
            1,
            ["'x' stands twice"],
        ),
        ('[[spectrometer]]\nserial = "A"\n[[spectrometer]]\nserial = "B"\nevry = "1 s"', 5, ["did you mean 'every'"]),
        ('[[spectrometer]]\nserial = "A"\n[[spectrometer]]\nserial = "A"', 1, ["'A' stands twice"]),
        ('[dark]\nhow = "switch"', 1, ["needs [light] command"]),
        ('[dark]\nevery = "1 min"', 2, ['needs how = "switch"']),
        ('[web]\nhost = "0.0.0.0"', 2, ["127.0.0.1", "see remote"]),
        ("[web]\nport = 1\nremote = true", 3, ["needs certificate and certificate_key and names"]),
        ('[web]\nremote = true\ncertificate = "/c"\ncertificate_key = "/k"', 2, ["needs names too"]),
        ('[web]\nremote = true\nnames = ["a:1"]\ncertificate = "/c"', 2, ["needs certificate_key too"]),
        ('[web]\nnames = ["https://chamber3.lab"]', 2, ["not what a browser asks for"]),
        ('[identify]\nelements = ["Ar"]', 2, ["not with"]),
        ('[identify]\nconstraint = "include"', 1, ["at least one element"]),
        ('[[spectrometer]]\nserial = "A"\ndead_pixels = [-1]', 3, ["dead_pixels"]),
        ('[[spectrometer]]\nserial = "A"\nstray_light = { share = 0.2 }', 3, ["share"]),
        ('[[spectrometer]]\nserial = "A"\nstray_light = { share = 0.06, halo_share = 0.06 }', 3, ["at most 0.1"]),
        ('[run]\nstart = "every day"', 2, ["cron expression of five fields"]),
        ('[run]\nstart = "0 6 * * *"', 1, ["needs one"]),
        ('[run]\nstart = "on order"\nduration = "1 h"', 3, ["goes with a cron expression"]),
        ('[run]\nstart = "plasma on"', 1, ["bands are needed"]),
        ('[run]\nlabels = { Sample = "x" }', 2, ["label 'Sample'", "a-z"]),
        ('[run]\nlabels = { sample = "a\\u0007b" }', 2, ["label sample", "printable"]),
        ("[capture]\nscans = true", 2, ["capture.scans", "must be a whole number"]),
        ('[capture]\ntotal = "2 s"', 1, ["total is longer than every"]),
        ('\n[exposure]\nmode = "auto"\naim = [0.9, 0.7]', 4, ["two shares of saturation"]),
        ("[exposure]\naim = [0.8, 0.85]", 2, ["1.15 times"]),
        ('[exposure]\nshortest = "1 s"\nlongest = "1 ms"', 3, ["not be less than shortest"]),
        ('[trigger]\nmode = "sometimes"', 2, ["trigger.mode", "edge"]),
        ('[dark]\nhow = "window"', 1, ["cron expression"]),
        ('[dark]\nhow = "window"\nwindow = "at night"', 3, ["five fields"]),
        ('[dark]\nhow = "plasma off"', 1, ["bands are needed"]),
        ('[reference]\nhow = "plasma off"', 1, ["is for darks"]),
        ('[light]\nurl = "ftp://x/"', 2, ["http://"]),
        ('[light]\nurl = "http://x/"\nline = "closes"', 1, ["only one of"]),
        ("[plasma]\nbands = [{ centre_nm = 750.4 }]\non_above = 1.0\noff_below = 2.0", 4, ["below on_above"]),
        ("[plasma]\nbands = [{ centre_nm = 750.4 }]\non_above = inf\noff_below = 2.0", 3, ["finite"]),
        ('[[alarm]]\nname = "a"\ntrace = "light"\nabove = nan', 4, ["above", "finite"]),
        ('[capture]\nevery = "' + "9" * 400 + ' s"', 2, ["no duration"]),
        ('[store]\nmin_free = "' + "9" * 400 + ' GB"', 2, ["no size"]),
        ('\n[spectrometer]\nserial = "A"', 2, ["write [[spectrometer]]"]),
        ('[[capture]]\nevery = "1 s"', 1, ["write [capture]"]),
        ("[upload]\nproxy = 'socks5://me:canary@h:1'", 2, ["upload.proxy", "http://proxy.lab:3128"]),
        ("[web]\nport = 8530\n[hub]\nenabled = true", 3, ["8530 is taken by web port"]),
        ("[hub]\nenabled = true\nport = 8519", 1, ["bucket", "8520 is taken by web port"]),
        ("[light]\nurl = 'http://lamp:99999/'", 2, ["http://"]),
        ("[plasma]\nbands = [{ center_nm = 750.4 }]", 2, ["did you mean 'centre_nm'"]),
        ("[plasma]\nbands = [750.4]", 2, ["plasma.bands.0: must be a table"]),
        ("[plasma]\nbands = [{ centre_nm = 100 }]", 2, ["bands.0.centre_nm: must be a number, more than 100"]),
        ("[exposure]\naim = [0.5]", 2, ["exposure.aim: must be a list of 2 values"]),
        ('[[trace]]\nname = "a"\nvalue = ""', 3, ["trace.0.value: must be a text of 1 or more characters"]),
        ('[[trace]]\nname = "a"', 1, ["trace.0.value: must be given"]),
        ('[identify]\nconstraint = "only"', 2, ["must be one of 'auto', 'include', 'exclude'"]),
        ('[[alarm]]\nname = "a"\nkind = "drift"\nreference = "gold"', 4, ["must be one of a number, 'golden'"]),
        ("[capture]\nscans = 0\nboxcar = -1\n[web]\nport = -1", 2, ["(and 1 more)"]),
        ("[capture]\nscans = 0\n[wbe]", 3, ["unknown key 'wbe'", "(and 1 more)"]),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "lab.toml")
    said = str(caught.value)
    assert said.startswith(f"lab.toml, line {line}: ")
    assert "\n" not in said
    for word in words:
        assert word in said
    assert "canary" not in said and len(said) < 400


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"[capture\n", b"a = 1\na = 2", b"x = " + b"[" * 3000, b"a = " + b"1" * 5000],
)
def test_files_that_are_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"x\.toml"):
        load_config(path)


def test_the_mark_at_the_beginning_that_some_editors_write(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[web]\nport = 1234\n", encoding="utf-8-sig")
    assert load_config(tmp_path / "x.toml").web.port == 1234


def test_the_line_of_a_character_that_is_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"[run]\nlabels = {\n} # \xb5m\n")
    with pytest.raises(ConfigError, match=r"x\.toml, line 3: not UTF-8"):
        load_config(tmp_path / "x.toml")


def test_what_only_the_rooms_know_has_its_line_too(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[web]\n[run]\nduration = "1 h"\nstart = "99 * * * *"\n')
    with pytest.raises(ConfigError, match=r"x\.toml, line 4: run\.start: .* is no cron expression"):
        check(load_config(file), str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")


@given(st.integers(min_value=1, max_value=366), st.sampled_from(["us", "ms", "s", "min", "h", "d"]))
def test_durations_scale_with_their_unit(number: int, unit: str) -> None:
    assert parse_duration_us(f"{number} {unit}") == number * parse_duration_us(f"1 {unit}")
    assert parse_duration_us(f"{number}{unit}") == parse_duration_us(f"{number} {unit}")


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        assert parse_duration_us(text) >= 0
    except ValueError as error:
        assert "duration" in str(error)


@given(st.text(max_size=200))
def test_any_text_is_a_config_or_a_one_line_error(text: str) -> None:
    try:
        parse_config(text, "any.toml")
    except ConfigError as error:
        assert str(error).startswith("any.toml")


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="`"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Tables of a file with one key that there is, and anything in its place."""
    name, kind = draw(st.sampled_from(sorted(keys_of(Config).items())))
    section = section_in(kind)
    if section is None or draw(st.booleans()):
        return {name: draw(VALUES)}
    table = {draw(st.sampled_from(sorted(keys_of(section)))): draw(VALUES)}
    return {name: table if kind is section else [table]}


@given(tables())
def test_any_value_of_any_key_is_a_config_or_a_mistake_that_names_it(given: dict[str, Any]) -> None:
    try:
        config_of(given)
    except Mistake as mistake:
        assert next(iter(given)) in str(mistake) or not mistake.place
        assert "`" not in str(mistake)  # no word of the library


def test_what_sections_hold_are_plain_numbers() -> None:
    """Other processes and the database get them as they are."""
    config = parse_config('[capture]\nevery = "2 s"\n[store]\nmin_free = "2 GB"', "x")
    held = (config.capture.every_us, config.store.min_free_bytes, Config().capture.every_us)
    assert held == (2_000_000, 2_000_000_000, 1_000_000)
    assert {type(one) for one in held} == {int}


def test_the_address_of_a_database_does_not_show() -> None:
    config = parse_config('[store]\nurl = "postgresql://me:canary@db/x"', "x")
    assert config.store.url.reveal() == "postgresql://me:canary@db/x"
    assert "canary" not in f"{config} {config.store.url!r} {config.store.url}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('on_full = "drop_all"', "on_full"),
        ('min_free = "2"', "no size"),
        ("min_free = 2", "no size|a size is a text"),
        ('min_free = "1 MB"', "100 MB"),
        ('max_size = "5 kB"', "100 MB"),
        ('thin_to = "100 ms"', "1 s"),
        ('full_rate = "1 week"', "no duration"),
    ],
)
def test_a_store_section_that_makes_no_sense(line: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        parse_config(f"[store]\n{line}", "lab.toml")
    assert "lab.toml, line" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        '[upload]\nkey_file = "{}"',
        '[hub]\nkey_file = "{}"',
        '[[action]]\nname = "m"\nmail_to = ["a@b"]\nmail_from = "a@b"\nmail_server = "b"\nmail_user = "u"\n'
        'mail_password_file = "{}"',
    ],
)
def test_a_secret_in_the_place_of_its_file_is_refused_unquoted(text: str) -> None:
    with pytest.raises(ConfigError, match="_file: must be the absolute path of a file") as caught:
        parse_config(text.format("canary-0123456789"), "test")
    assert "canary" not in str(caught.value)
    parse_config(text.format("/etc/oesd/key"), "test")


@pytest.mark.parametrize(
    "text",
    [
        '[light]\nurl = "ftp://me:canary@lamp.lab/"',
        '[[action]]\nname = "a"\nurl = "https://me:canary@hooks.example.org/x"',
        '[[action]]\nname = "a"\nurl = "hooks.example.org/canary"',
    ],
)
def test_an_address_that_may_hold_a_password_is_refused_unquoted(text: str) -> None:
    with pytest.raises(ConfigError, match="url: must be") as caught:
        parse_config(text, "test")
    assert "canary" not in str(caught.value)

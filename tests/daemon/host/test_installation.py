"""Installing below a root directory of the test's own: what is written, what is left, what is refused."""

import stat
from pathlib import Path, PurePosixPath

import pytest

from oesd.host import HostError, check_prefix, give, install, installation, removal, remove
from oesd.host.doing import fate, place
from oesd.host.plan import Command, Plan

UNIT = "etc/systemd/system/oesd.service"
CONFIG = "etc/oesd/oesd.toml"


@pytest.fixture
def files_only() -> Plan:
    return Plan(installation().files, ())


def told(plan: Plan, root: Path, **how: bool) -> list[str]:
    lines: list[str] = []
    install(plan, root, lines.append, **how)
    return lines


def test_everything_is_written_readable_for_all_and_writable_for_its_owner(files_only: Plan, tmp_path: Path) -> None:
    told(files_only, tmp_path)
    for file in files_only.files:
        written = place(tmp_path, file)
        assert written.read_text() == file.text
        assert stat.S_IMODE(written.stat().st_mode) == 0o644
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == sorted(f.path.name for f in files_only.files)


def test_again_changes_nothing(files_only: Plan, tmp_path: Path) -> None:
    told(files_only, tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    lines = told(files_only, tmp_path)
    assert {line.split()[0] for line in lines} == {"same"}
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_a_persons_configuration_is_never_touched_a_changed_unit_is_written_anew(
    files_only: Plan, tmp_path: Path
) -> None:
    told(files_only, tmp_path)
    (tmp_path / CONFIG).write_text("# mine\n")
    (tmp_path / UNIT).write_text("[Service]\n")
    lines = told(files_only, tmp_path)
    assert (tmp_path / CONFIG).read_text() == "# mine\n"
    assert "ExecStart=/opt/oesd/bin/oesd run" in (tmp_path / UNIT).read_text()
    assert {line.split()[0] for line in lines} == {"same", "kept", "changed"}


def test_a_dry_run_tells_and_writes_nothing(tmp_path: Path) -> None:
    lines = told(installation(), tmp_path, dry_run=True)
    assert any(line.startswith("new ") and line.endswith(UNIT) for line in lines)
    assert any("systemctl enable oesd.service" in line for line in lines)
    assert not list(tmp_path.iterdir())


def test_the_unit_starts_the_program_of_its_prefix() -> None:
    texts = {f.path.name: f.text for f in installation(PurePosixPath("/srv/oesd-2")).files}
    assert "ExecStart=/srv/oesd-2/bin/oesd run --config" in texts["oesd.service"]
    assert "ExecStart=/srv/oesd-2/bin/oesd hub --config" in texts["oesd-hub.service"]


def test_the_hub_is_started_instead() -> None:
    assert [c.argv[-1] for c in installation(hub=True).commands][-2:] == ["oesd-hub.service"] * 2


def test_removal_leaves_what_is_a_persons(files_only: Plan, tmp_path: Path) -> None:
    told(files_only, tmp_path)
    (tmp_path / "var/lib/oesd").mkdir(parents=True)
    (tmp_path / "var/lib/oesd/oesd.sqlite").write_text("data")
    (tmp_path / "etc/oesd/api-key").write_text("secret")
    remove(Plan(removal().files, ()), tmp_path, lambda _: None)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {CONFIG, "etc/oesd/hub.toml", "etc/oesd/api-key", "var/lib/oesd/oesd.sqlite"}
    remove(Plan(removal().files, ()), tmp_path, lambda _: None)  # again: nothing to do, no error


def test_a_masked_unit_is_named(files_only: Plan, tmp_path: Path) -> None:
    (tmp_path / UNIT).parent.mkdir(parents=True)
    (tmp_path / UNIT).symlink_to("/dev/null")
    with pytest.raises(HostError, match="is masked: systemctl unmask oesd"):
        told(files_only, tmp_path)


def test_a_link_is_replaced_not_followed(files_only: Plan, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("another's")
    (tmp_path / UNIT).parent.mkdir(parents=True)
    (tmp_path / UNIT).symlink_to(elsewhere)
    told(files_only, tmp_path)
    assert elsewhere.read_text() == "another's"
    assert not (tmp_path / UNIT).is_symlink()


def test_what_cannot_be_written_is_one_line_and_leaves_no_half_file(files_only: Plan, tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file where a folder should be")
    with pytest.raises(HostError, match="cannot be"):
        told(files_only, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["etc"]


def test_elsewhere_only_what_works_there_is_run(tmp_path: Path) -> None:
    lines: list[str] = []
    commands = (Command(("true",), "works anywhere", "--root"), Command(("oesd-no-such-program",), "needs systemd"))
    give(commands, tmp_path, lines.append)
    assert [line.split()[0] for line in lines] == ["run", "later"]


@pytest.mark.parametrize(
    ("argv", "said"), [(("false",), "false"), (("oesd-no-such-program",), "is not on this system")]
)
def test_a_command_that_fails_is_one_line(argv: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=said) as caught:
        give((Command(argv, "why", "--root"),), tmp_path, lambda _: None)
    assert "\n" not in str(caught.value)


def test_a_prefix_that_others_can_change_or_a_service_cannot_see_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="is hidden from a service; as root: python3 -m venv /opt/oesd"):
        check_prefix(tmp_path)
    with pytest.raises(HostError, match="does not exist"):
        check_prefix(Path("/usr/share"))


def test_fates(files_only: Plan, tmp_path: Path) -> None:
    assert {fate(tmp_path, file) for file in files_only.files} == {"new"}

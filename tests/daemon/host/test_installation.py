"""Installing below a root directory of the test's own: what is written, what is left, what is refused."""

import os
import stat
from pathlib import Path, PurePosixPath

import click
import pytest
from click.testing import CliRunner

from oesd.cli.installing import _NEXT, _NEXT_HUB, install_service, uninstall_service
from oesd.cli.key import key as key_commands
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
    fates = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert set(fates) == {"same", "kept", "changed"}
    assert f"{'':8} +ExecStart=/opt/oesd/bin/oesd run --config /etc/oesd/oesd.toml" in lines, "what changes is shown"


def test_a_unit_that_others_can_write_or_that_is_a_link_is_written_anew(files_only: Plan, tmp_path: Path) -> None:
    told(files_only, tmp_path)
    unit, other = tmp_path / UNIT, tmp_path / "another's"
    unit.chmod(0o666)
    assert f"{'':8} mode 0666" in told(files_only, tmp_path)
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    unit.rename(other)  # the same text, and its mode is right: but its owner could change it
    unit.symlink_to(other)
    assert f"{'':8} a link to {other}" in told(files_only, tmp_path)
    assert not unit.is_symlink()
    assert {fate(tmp_path, file) for file in files_only.files} == {"same"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_unit_of_another_user_is_written_anew(files_only: Plan, tmp_path: Path) -> None:
    told(files_only, tmp_path)
    os.chown(tmp_path / UNIT, 12345, -1)
    assert f"{'':8} owned by user 12345" in told(files_only, tmp_path)
    assert (tmp_path / UNIT).stat().st_uid == 0


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


def test_where_nobody_is_to_be_asked_what_need_not_be_is_passed_over(tmp_path: Path) -> None:
    lines: list[str] = []
    give((Command(("oesd-no-such-program",), "why", "--root"),), tmp_path, lines.append, must=False)
    assert "is not on this system" in lines[-1]


def test_a_prefix_that_a_service_cannot_see_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="is hidden from a service; as root: python3 -m venv /opt/oesd"):
        check_prefix(tmp_path)
    with pytest.raises(HostError, match="does not exist"):
        check_prefix(Path("/usr/share"))


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A virtual environment as root makes one, with an interpreter of its own beside it."""
    made, python = tmp_path / "opt/oesd", tmp_path / "usr/bin/python3.11"
    for file in (
        python,
        made / "bin/oesd",
        made / "lib/python3.11/site-packages/oesd/__init__.py",
        made / "pyvenv.cfg",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    (made / "bin/python3").symlink_to(python)
    for path in tmp_path.rglob("*"):
        path.lstat()
        if not path.is_symlink():
            path.chmod(0o755)
    return made


@pytest.mark.skipif(os.geteuid() != 0, reason="what is root's only root can make")
@pytest.mark.parametrize(
    "loose",
    [
        ".", "..", "bin", "bin/oesd", "pyvenv.cfg", "lib", "lib/python3.11/site-packages",
        "lib/python3.11/site-packages/oesd/__init__.py", "../../usr/bin/python3.11", "../../usr/bin",
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["group", "others", "owner"])
def test_a_prefix_that_others_can_change_is_refused(prefix: Path, loose: str, how: str) -> None:
    check_prefix(prefix, hidden=())
    path = (prefix / loose).resolve()
    if how == "owner":
        os.chown(path, 12345, -1)
    else:
        path.chmod(0o775 if how == "group" else 0o757)
    with pytest.raises(HostError, match="can be changed by others than root") as caught:
        check_prefix(prefix, hidden=())
    assert str(caught.value).startswith(f"{path} ")


@pytest.mark.skipif(os.geteuid() != 0, reason="what is root's only root can make")
def test_a_sticky_folder_is_no_protection_for_what_is_added_to_it(prefix: Path) -> None:
    prefix.parent.chmod(0o1777)  # on the way: nobody can replace what is root's
    check_prefix(prefix, hidden=())
    (prefix / "lib/python3.11/site-packages").chmod(0o1777)  # but a module of anybody's would be imported from here
    with pytest.raises(HostError, match="site-packages can be changed"):
        check_prefix(prefix, hidden=())


@pytest.mark.skipif(os.geteuid() != 0, reason="what is root's only root can make")
def test_an_interpreter_in_a_home_and_an_editable_oesd_are_refused(prefix: Path) -> None:
    with pytest.raises(HostError, match="usr is hidden from a service"):
        check_prefix(prefix, hidden=(prefix.parents[1] / "usr",))
    (prefix / "lib/python3.11/site-packages/oesd/__init__.py").unlink()
    with pytest.raises(HostError, match="editable"):
        check_prefix(prefix, hidden=())


def test_fates(files_only: Plan, tmp_path: Path) -> None:
    assert {fate(tmp_path, file) for file in files_only.files} == {"new"}


# -- the commands --------------------------------------------------------------------------------------------------


def test_a_dry_run_refuses_what_the_real_one_refuses() -> None:
    done = CliRunner().invoke(install_service, ["--dry-run"])  # the tests' own environment: editable, in a home or not
    assert done.exit_code == 2
    assert "as root: python3 -m venv /opt/oesd" in done.output
    assert "new " not in done.output


@pytest.mark.parametrize("command", [install_service, uninstall_service, key_commands.commands["set"]])
def test_an_empty_root_is_refused(command: click.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["--root", ""], input="canary-0123456789")
    assert done.exit_code == 2
    assert "is empty" in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("root", ["//", "/../", "/.", "/proc/self/root"])
def test_however_it_is_spelled_the_root_is_this_system(root: str) -> None:
    done = CliRunner().invoke(install_service, ["--dry-run", "--root", root])
    assert done.exit_code == 2, "the checks of this system's root are made"
    assert "as root: python3 -m venv" in done.output


def test_elsewhere_everything_is_written_and_nothing_is_said_of_this_system(tmp_path: Path) -> None:
    done = CliRunner().invoke(install_service, ["--root", str(tmp_path), "--no-start"])
    if "is not on this system" in done.output:
        pytest.skip("no systemd-sysusers here")
    assert done.exit_code == 0, done.output
    assert f"{tmp_path} is prepared" in done.output
    assert "systemctl restart" not in done.output
    assert (tmp_path / "etc/systemd/system/oesd-key.service").is_file()


def test_what_comes_next_is_the_hubs_where_that_was_installed() -> None:
    assert "hub.toml" in _NEXT_HUB
    assert "systemctl restart oesd-hub" in _NEXT_HUB
    assert "hub" not in _NEXT


def test_a_configuration_on_a_disk_that_is_not_mounted_is_a_persons_too(files_only: Plan, tmp_path: Path) -> None:
    link = tmp_path / "etc/oesd/oesd.toml"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "not-mounted/oesd.toml")
    assert any(line.startswith("kept") and line.endswith("oesd.toml") for line in told(files_only, tmp_path))
    assert link.is_symlink()


def test_a_service_that_cannot_be_stopped_is_told() -> None:
    lines: list[str] = []
    give([Command(("sh", "-c", "echo it hangs >&2; exit 1"), "it ends")], Path("/"), lines.append, must=False)
    assert lines[-1].strip() == "failed: it hangs"

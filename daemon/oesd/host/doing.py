"""Carries out a plan, on this system or below another root directory; says each thing that it does."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from oesd.host.asking import NoAnswer, ask
from oesd.host.errors import HostError
from oesd.host.plan import Command, Placed, Plan

_MODE = 0o644
_LIMIT_S = 200.0  # a start waits for READY, which the units give three minutes
_LOG = "journalctl -u oesd -n 50 may tell more"
Tell = Callable[[str], None]


def place(root: Path, file: Placed) -> Path:
    """Where a file of the plan stands below a root directory."""
    return root / file.path.relative_to("/")


def standing(root: Path, file: Placed) -> str | None:
    """Text of the file as it stands; None when there is none.

    Raises
    ------
    HostError
        It cannot be read, or stands there as something else than a file.
    """
    path = place(root, file)
    if path.is_symlink() and os.readlink(path) == os.devnull:
        raise HostError(f"{path} is masked: systemctl unmask {path.name}, then again")
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def fate(root: Path, file: Placed) -> str:
    """What installing would do to a file: ``new``, ``same``, ``changed``, or ``kept`` for a person's."""
    now = standing(root, file)
    if now is None:  # a link that leads nowhere yet is a person's word, too: a disk that is mounted later
        return "kept" if file.if_absent and place(root, file).is_symlink() else "new"
    if file.if_absent:
        return "same" if now == file.text else "kept"
    return "changed" if any(_differences(root, file, now)) else "same"


def _differences(root: Path, file: Placed, now: str) -> Iterator[str]:
    """What would be another than it is: whose it is, its mode, that it is a link, and its lines."""
    found = place(root, file).lstat()
    if stat.S_ISLNK(found.st_mode):
        yield f"a link to {os.readlink(place(root, file))}"
    elif stat.S_IMODE(found.st_mode) != _MODE:
        yield f"mode {stat.S_IMODE(found.st_mode):04o}"
    if found.st_uid not in (0, os.geteuid()):
        yield f"owned by user {found.st_uid}"
    lines = difflib.unified_diff(
        now.splitlines(), file.text.splitlines(), "as it is", "as it will be", n=1, lineterm=""
    )
    yield from lines


def install(plan: Plan, root: Path, tell: Tell, *, dry_run: bool = False) -> None:
    """Write the files that are new or changed, then give the commands.

    Below another root directory than ``/`` only those commands are given that can work there; the others are told.

    Raises
    ------
    HostError
        One line: what could not be done.
    """
    for file in plan.files:
        what = fate(root, file)
        tell(f"{what:8} {place(root, file)}")
        if what == "changed":
            for line in _differences(root, file, standing(root, file) or ""):
                tell(f"{'':8} {line}")
        if what in ("new", "changed") and not dry_run:
            write_file(place(root, file), file.text, _MODE)
    give(plan.commands, root, tell, dry_run=dry_run)


def remove(plan: Plan, root: Path, tell: Tell, *, dry_run: bool = False) -> None:
    """Remove the files of a plan, then give the commands."""
    for file in plan.files:
        path = place(root, file)
        there = path.is_symlink() or path.exists()
        tell(f"{'removed' if there else 'absent':8} {path}")
        if there and not dry_run:
            _unlink(path)
    give(plan.commands, root, tell, dry_run=dry_run)


def give(commands: Iterable[Command], root: Path, tell: Tell, *, dry_run: bool = False, must: bool = True) -> None:
    """Give commands to the system; with ``must`` the first that fails is a :class:`HostError`."""
    elsewhere = root != Path("/")
    for command in commands:
        line = " ".join(command.argv)
        if elsewhere and not command.in_root:
            tell(f"later    {line}    ({command.why})")
            continue
        if command.needs and not Path(command.needs).exists():
            tell(f"left out {line}    (there is no {command.needs})")
            continue
        tell(f"run      {line}    ({command.why})")
        if not dry_run:
            _run(command, root if elsewhere else None, tell, must)


def write_file(path: Path, text: str, mode: int) -> None:
    """Write a file as a whole or not at all: under another name first, synced, then renamed; a link is replaced."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(fresh, path)
        _sync(path.parent)  # the name, too, is there after a power cut
    except OSError as error:
        Path(fresh).unlink(missing_ok=True)
        raise HostError(f"{path} cannot be written: {error.strerror}") from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise HostError(f"{path} cannot be removed: {error.strerror}") from None


def _run(command: Command, root: Path | None, tell: Tell, must: bool) -> None:
    argv = [command.argv[0], *([f"{command.in_root}={root}"] if root else []), *command.argv[1:]]
    try:
        answer = ask(argv, limit_s=_LIMIT_S)
    except NoAnswer as error:
        if not must:
            tell(f"{'':8} {error}")
            return
        raise HostError(f"{error}; oesd becomes a service under systemd only; {_LOG}") from None
    if answer.status and must:
        raise HostError(f"{' '.join(argv)} failed: {answer.last_words}; {_LOG}")
    if answer.status:
        tell(f"{'':8} failed: {answer.last_words}")

"""Every file that somebody is told of is on the disk by then: the system calls of the real code, by strace.

The rule, for each file below a directory: its bytes are synced before it gets its name, and its name (the folder)
before anything is said. The mutants are the same calls without all syncs of one file or folder: the rule must see it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.daemon.store.syncing import SITES

CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir"
LEFT_OUT = re.compile(r"-shm$|lock$|-journal$")  # made anew by whoever opens the store
LINE = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)\) += (-?\d+)")
PATHS = re.compile(r'"([^"]+)"|<(/[^>]+)>')


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that did what it was asked: its name, the paths in it, and all of it."""

    name: str
    paths: tuple[str, ...]
    text: str


def calls_of(site: str, directory: Path) -> list[Call]:
    log = directory / "calls"
    command = ["strace", "-f", "-y", "-qq", "-s", "300", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log)]
    run = [*command, sys.executable, "-m", "tests.daemon.store.syncing", site, str(directory)]
    subprocess.run(run, check=True, capture_output=True, timeout=120)
    unfinished: dict[str, str] = {}
    found = []
    for line in log.read_text().splitlines():
        pid = line.split()[0]
        if line.endswith("<unfinished ...>"):
            unfinished[pid] = line.removesuffix("<unfinished ...>")
            continue
        resumed = re.match(r"\d+ +<\.\.\. \w+ resumed>", line)
        whole = unfinished.pop(pid) + line[resumed.end() :] if resumed else line
        matched = LINE.match(whole)
        if matched is not None and int(matched[3]) >= 0:
            paths = tuple(one or other for one, other in PATHS.findall(matched[2]))
            found.append(Call(matched[1], paths, matched[2]))
    return found


def unsynced(calls: list[Call], ours: str) -> Iterator[str]:
    """What of the paths that begin so a power cut could take although it was told."""
    bytes_of: dict[str, bool] = {}
    names: dict[str, bool] = {}

    def named(path: str) -> None:
        if path.startswith(ours) and not LEFT_OUT.search(path):
            names[str(Path(path).parent)] = True

    for call in calls:
        path = call.paths[0] if call.paths else ""
        inside = path.startswith(ours) and not LEFT_OUT.search(path)
        if call.name == "write" and "DONE" in call.text:
            yield from (f"the bytes of {one}" for one in bytes_of)
            yield from (f"a name in {one}" for one in names)
        elif call.name in ("write", "pwrite64", "ftruncate") and inside:
            bytes_of[path] = True
        elif call.name in ("fsync", "fdatasync"):
            bytes_of.pop(path, None)
            names.pop(path, None)
        elif call.name.startswith(("rename", "link")):
            old, new = call.paths[-2:]
            if call.name.startswith("rename") and bytes_of.pop(old, False):
                yield f"{new}, named before its bytes were synced"
            named(new)
        elif call.name.startswith("unlink"):
            bytes_of.pop(path, None)
        elif call.name == "mkdir" or (call.name == "openat" and "O_CREAT" in call.text):
            named(call.paths[-1])


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("site", SITES)
def test_what_is_told_is_on_the_disk_and_every_sync_is_needed_for_that(tmp_path: Path, site: str) -> None:
    calls = calls_of(site, tmp_path)
    ours = f"{tmp_path}/{'copy' if site == 'backup' else ''}"
    assert any("DONE" in call.text for call in calls)
    assert list(unsynced(calls, ours)) == []
    synced = {call.paths[0] for call in calls if call.name in ("fsync", "fdatasync")}
    for path in (path for path in synced if path.startswith(ours) and not LEFT_OUT.search(path)):
        mutant = [call for call in calls if not _is_sync(call, path)]
        assert list(unsynced(mutant, ours)) != [], f"nobody would see that {path} is not synced"


def _is_sync(call: Call, path: str) -> bool:
    return call.name in ("fsync", "fdatasync") and call.paths[0] == path

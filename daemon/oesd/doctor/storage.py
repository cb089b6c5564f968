"""The disk under the data: its file system, how fast it syncs, whether it means it, how long there is room."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from oesd.config import Config
from oesd.doctor.finding import Finding, Host, fault, ok, warning

_NOT_DURABLE = {"tmpfs", "ramfs", "overlay"}  # gone with the next boot, or with the container
# SQLite's locks and shared memory do not work across these: sqlite.org/wal.html, "Advantages"; sqlite.org/faq.html#q5
_NOT_LOCAL = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "ceph", "glusterfs"}
_ESCAPED = re.compile(r"\\([0-7]{3})")  # space, tab, newline and backslash; proc(5)
_SYNCS = 20
# A sync to a bus-attached disk with a protected cache takes 15 us and more; what returns sooner has not asked the disk.
_TOO_FAST_S = 10e-6
_SLOW_S = 0.1
_BYTES_EACH = 6_500  # of a stored spectrum with 40 peaks of seven candidates, sealed: tests/bench/store.py
_FEW_DAYS, _DAY_S = 30.0, 86_400.0


def storage(config: Config, host: Host, sync_times_s: Callable[[Path], list[float]] | None = None) -> Iterator[Finding]:
    """Findings on the data directory and its disk."""
    directory = config.data_dir
    if not directory.is_dir():
        yield warning(
            "data", f"{directory} does not exist yet", "the daemon makes it when it starts: sudo systemctl start oesd"
        )
        directory = next(parent for parent in directory.parents if parent.is_dir())
    yield _file_system(host, directory)
    yield _syncing(directory, sync_times_s or _sync_times_s)
    yield _room(config, directory)


def _file_system(host: Host, directory: Path) -> Finding:
    kind = _kind(host.at("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace"), directory.resolve())
    if kind in _NOT_LOCAL:
        return fault("data", f"{directory} is on a network file system ({kind})", "data_dir on a disk of this machine")
    if kind in _NOT_DURABLE:
        return warning(
            "data", f"{directory} is on {kind}: it may not outlive a reboot", "data_dir on a disk of this machine"
        )
    return ok("data", f"{directory}, {kind}")


def _kind(mounts: str, directory: Path) -> str:
    """File system of the mount a directory lies in (proc(5), mountinfo: the last of the deepest counts)."""
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), left.split()[4]))
        if directory.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def _syncing(directory: Path, sync_times_s: Callable[[Path], list[float]]) -> Finding:
    if not os.access(directory, os.W_OK):
        return warning("sync", f"{directory} is not ours to try", "sudo oesd doctor")
    took_s = statistics.median(sync_times_s(directory))
    told = f"{took_s * 1e3:.2g} ms for a page that is to stay"
    if took_s < _TOO_FAST_S:
        return warning("sync", f"{told}: faster than a disk can be; a power cut may lose what was called stored",
                       "see that nothing (mount option nobarrier, unsafe disk cache) drops syncs")  # fmt: skip
    if took_s > _SLOW_S:
        return warning("sync", f"{told}: slow; more than {1 / took_s:.0f} spectra a second wait for the disk",
                       "data_dir on a solid-state disk")  # fmt: skip
    return ok("sync", told)


def _sync_times_s(directory: Path) -> list[float]:
    """Time of each of some appends with fdatasync, to a file of our own that is gone afterwards."""
    times_s = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_SYNCS):
            os.write(file.fileno(), bytes(4096))
            began_s = time.monotonic()
            os.fdatasync(file.fileno())
            times_s.append(time.monotonic() - began_s)
    return times_s


def _room(config: Config, directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    store = config.store
    bounded = store.on_full != "stop" or bool(store.full_rate_us)
    usable = free - store.min_free_bytes
    a_day = _spectra_a_day(config) * _BYTES_EACH
    told = f"{free / 1e9:.1f} GB free"
    if usable <= 0:
        return fault("room", f"{told}, less than [store] min_free: nothing is taken in", "make room, or lower min_free")
    if store.max_size_bytes:
        usable = min(usable, store.max_size_bytes - _taken(directory))
    if usable <= 0 and not bounded:
        return fault("room", "what is stored fills [store] max_size: nothing is taken in",
                     "[store] max_size, on_full or full_rate")  # fmt: skip
    days = max(0, usable) / a_day
    told = f"{told}: about {days:.0f} days at {_spectra_a_day(config) / _DAY_S:g} spectra a second"
    if days < _FEW_DAYS and not bounded:
        return warning("room", told, "[store] on_full or full_rate, so that it is bounded; or a larger disk")
    return ok("room", told)


def _taken(directory: Path) -> int:
    """Bytes that the store's files take by now, as far as this user sees them."""
    files = (file for file in directory.rglob("*") if file.is_file() and not file.is_symlink())
    try:
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0


def _spectra_a_day(config: Config) -> float:
    own = [unit.every_us or config.capture.every_us for unit in config.spectrometer] or [config.capture.every_us]
    return sum(_DAY_S * 1e6 / every_us for every_us in own)

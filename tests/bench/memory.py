"""Resident memory and CPU of a daemon at one spectrum a second from each of two spectrometers.

    python tests/bench/memory.py [SECONDS]

The hub that takes the uploads is a process of its own here, so that the daemon's figure is the daemon's alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OESD = [sys.executable, "-m", "oesd.cli"]
CONFIG = """
data_dir = "{data}"
[capture]
every = "1 s"
integration = "20 ms"
[dark]
how = "switch"
every = "10 s"
[upload]
endpoint = "http://127.0.0.1:{port}/"
key_file = "{key}"
[web]
port = 0
[simulation]
enabled = true
"""


def processes(root: int) -> dict[int, str]:
    """Pid and command of a process and all its descendants."""
    found = {root: Path(f"/proc/{root}/cmdline").read_bytes().replace(b"\0", b" ").decode()}
    for children in Path(f"/proc/{root}/task").glob("*/children"):
        for child in children.read_text().split():
            found |= processes(int(child))
    return found


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(pid: int) -> float:
    """CPU time of a process so far in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(seconds: float) -> None:
    """Run a hub and a daemon, print a line for each process."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        port = 18530
        hub = subprocess.Popen([*OESD, "hub", "--data", str(folder / "hub"), "--port", str(port)])
        key = folder / "hub" / "api-key"
        while not key.exists():
            time.sleep(0.1)
        config = folder / "lab.toml"
        config.write_text(CONFIG.format(data=folder / "data", port=port, key=key))
        daemon = subprocess.Popen([*OESD, "run", "--config", str(config)])
        try:
            time.sleep(5)
            before = {pid: cpu_s(pid) for pid in processes(daemon.pid)}
            time.sleep(seconds)
            for pid, command in {**processes(daemon.pid), **processes(hub.pid)}.items():
                used = (cpu_s(pid) - before[pid]) / seconds if pid in before else float("nan")
                print(f"{rss_mb(pid):7.1f} MB {100 * used:6.1f} % CPU  {command[-70:]}")
        finally:
            for process in (daemon, hub):
                process.send_signal(signal.SIGTERM)
                process.wait(30)


if __name__ == "__main__":
    measure(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)

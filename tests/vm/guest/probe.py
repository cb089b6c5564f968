"""Tries what the sandbox of the service forbids, and what it needs, in a unit with every directive of the real one.

It refuses outside a throw-away system.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import socket
import subprocess
import sys
from pathlib import Path

import throwaway  # noqa: F401  # refuses elsewhere

LIBC = ctypes.CDLL(None, use_errno=True)
_EVERYTHING = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
_NOT_OURS = ("ExecStart=", "ExecReload=", "Type=", "WatchdogSec=", "Restart", "NotifyAccess=")
_OURS = f"""[Service]
Type=oneshot
ExecStart={sys.executable} -B /tests/probe.py inside
StandardOutput=file:/run/probe.json"""


def works(attempt) -> bool:
    try:
        return attempt() is not False
    except (OSError, PermissionError, ValueError):
        return False


def written(path: str) -> bool:
    Path(path).write_text("x")
    Path(path).unlink()
    return True


def probe() -> dict:
    """Run inside the sandbox."""
    return {
        "uid": os.getuid(),
        "write_etc": works(lambda: written("/etc/oesd-probe")),
        "write_opt": works(lambda: written("/opt/oesd/probe")),
        "write_state": works(lambda: written("/var/lib/oesd/probe")),
        "read_home": works(lambda: bool(os.listdir("/root"))),
        "mount": LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0,
        "unshare": LIBC.unshare(0x10000000) == 0,
        "packet_socket": works(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()),
        "write_exec_memory": works(lambda: mmap.mmap(-1, 4096, prot=_EVERYTHING).close()),
        "new_privileges": "NoNewPrivs:\t1" not in Path("/proc/self/status").read_text(),
        "credential": Path(os.environ["CREDENTIALS_DIRECTORY"], "api-key").read_text().strip(),
    }


def in_the_sandbox() -> None:
    """Start this file in a unit of the same directives, and print what it prints."""
    unit = Path("/etc/systemd/system/oesd.service").read_text()
    drop_ins = sorted(Path("/etc/systemd/system/oesd.service.d").glob("*.conf"))
    name = "oesd-probe.service"
    kept = [line for line in unit.splitlines() if not line.startswith(_NOT_OURS)]
    text = "\n".join(kept).replace("[Service]", _OURS)
    Path(f"/run/systemd/system/{name}").write_text(text)
    folder = Path(f"/run/systemd/system/{name}.d")
    folder.mkdir(exist_ok=True)
    for file in drop_ins:
        (folder / file.name).write_text(file.read_text())
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "start", name], check=True)
    said = Path("/run/probe.json")
    print(said.read_text())
    said.unlink()  # the key is in it


if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        print(json.dumps(probe()))
    else:
        in_the_sandbox()

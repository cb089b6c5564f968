"""The vendor's SDK, as it is on PyPI, against the hub."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY

from oesd.web import Hub

SESSION = Path(__file__).with_name("sdk_session.py")

pytestmark = pytest.mark.skipif(importlib.util.find_spec("atomscale") is None, reason="the SDK is not installed")


def run(hub: Hub, destination: Path, files: list[Path], session: Path = SESSION) -> dict[str, object]:
    command = [sys.executable, str(session), hub.url + "/", KEY, str(destination), *map(str, files)]
    environment = {**os.environ, "ATOMSCALE_SKIP_CLOCK_SYNC": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def test_upload_search_download_read_and_correct(hub: Hub, client: httpx.Client, tmp_path: Path) -> None:
    client.post("/projects/", json={"name": "Nitrides"})
    large = 3_000_000
    contents = {
        "one.txt": spectra.file_bytes("record-of-0"),
        "byte.bin": b"x",
        "a+b ü&c=1#x.bin": os.urandom(large),
    }
    files = [tmp_path / name for name in contents]
    for path, content in zip(files, contents.values(), strict=True):
        path.write_bytes(content)
    seen = run(hub, tmp_path / "got", files)

    by_name = seen["by_name"]
    assert isinstance(by_name, dict) and list(by_name) == [str(path) for path in files]
    ids = list(by_name.values())
    assert isinstance(seen["together"], list) and len({*ids, *seen["together"]}) == 2 * len(files)
    for name, content in contents.items():
        assert (tmp_path / "got" / name).read_bytes() == content
    processed = json.loads((tmp_path / "got" / f"{ids[0]}.json").read_bytes())
    assert processed["data_id"] == ids[0] and processed["detected_peaks"]

    rows = seen["rows"]
    assert isinstance(rows, list)
    by_id = {row["Data ID"]: row for row in rows}
    assert set(by_id) == set(ids)
    assert [by_id[data_id]["Status"] for data_id in ids] == ["success", "error", "error"]
    assert [by_id[data_id]["File Name"] for data_id in ids] == list(contents)
    assert {(row["Type"], row["Physical Sample Name"]) for row in rows} == {("oes", "Wafer 7")}
    assert isinstance(seen["by_keyword"], list)
    assert seen["by_keyword"] == ids[:1]  # uploaded twice, one entry
    assert seen["by_sample"] == sorted(ids)
    assert seen["document"] == {"data_id": ids[0], "id": "oes_001", "wavelength_unit": "nm"}
    patched = seen["patched"]
    assert isinstance(patched, dict) and patched["manual"] is True
    assert patched["element"] == patched["candidates"][1]["element"]
    assert seen["results"] == [["UnknownResult", data_id] for data_id in ids]
    assert seen["samples"] == ["Wafer 7"]


def test_files_of_every_size_come_back_byte_by_byte(hub: Hub, tmp_path: Path) -> None:
    """Beside and on the border of a part of 40 MiB, and of three parts."""
    sizes = (1, 41_943_040 - 1, 41_943_040, 41_943_040 + 1, 90_000_000)
    block = os.urandom(90_000_000)
    files = [tmp_path / f"{size}.bin" for size in sizes]
    for path, size in zip(files, sizes, strict=True):
        path.write_bytes(block[-size:])
    seen = run(hub, tmp_path / "got", files, SESSION.with_name("sdk_sizes.py"))
    assert seen["names"] == sorted(path.name for path in files)
    for path in files:
        assert (tmp_path / "got" / path.name).read_bytes() == path.read_bytes()

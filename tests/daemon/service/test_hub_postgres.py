"""The hub on PostgreSQL: kill -9 of the hub, and of the server, while daemons upload."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from tests.daemon.service.test_hub_process import Senders, missing
from tests.support.daemons import oesd, until
from tests.support.hub_load import HubProcess, Told, batches, two_free_ports
from tests.support.postgres import Cluster
from tests.support.stores import on_postgres

pytestmark = on_postgres
PASSWORD = "canary-of-the-hub"


@pytest.fixture
def server() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.mark.timeout(300)
def test_kill_9_of_hub_and_server_loses_nothing_that_was_acknowledged(tmp_path: Path, server: Cluster) -> None:
    url, port, told = server.create("oesd"), two_free_ports(), Told()
    config = tmp_path / "hub.toml"
    spoken = url.replace("oesd@", f"oesd:{PASSWORD}@")
    config.write_text(f'[hub]\nworkers = 1\n[store]\nurl = "{spoken}"\n')
    config.chmod(0o600)
    hub = HubProcess(tmp_path / "hub", port, "--config", str(config))
    hub.wait()
    chance, logs = random.Random(7), ""
    senders = Senders(list(islice(batches(2), 12)), told)
    senders.hub = hub
    with senders:
        for what in ("server", "hub", "server"):
            before = len(told.files)
            until(lambda before=before: len(told.files) > before)
            time.sleep(chance.uniform(0.0, 0.3))
            if what == "server":
                server.stop("immediate")
                server.start()
            else:
                hub.end(signal.SIGKILL)
                logs += hub.log()
                hub.__exit__()
                hub = HubProcess(tmp_path / "hub", port, "--config", str(config))
                hub.wait()
                senders.hub = hub
        before = len(told.files)
        until(lambda: len(told.files) > before)
    with hub:
        until(lambda: not missing(hub, told.records))
        with hub.api() as api:
            for data_id, sha256 in told.files.items():
                assert hashlib.sha256(api.download_raw(data_id, 10**7) or b"").hexdigest() == sha256
            for record in told.records:
                assert len(api.find_entries(keywords=record)) == 1, "a record that was sent twice is one entry"
        run = oesd("verify", "--json", "--data", tmp_path / "hub")
        assert json.loads(run.stdout)["findings"] == [], run.stdout + run.stderr
        assert hub.end(signal.SIGTERM) == 0
    logs += hub.log()
    assert "Traceback" not in logs
    assert PASSWORD not in logs + (tmp_path / "hub" / "oesd.url").read_text()
    assert "its data in postgresql://oesd:***@" in logs


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('url = "mysql://me:canary@db/x"', 'store.url: the URL of a store is such as "postgresql://'),
        ('url = "postgresql://me:canary@db/x"\non_full = "drop_confirmed"', 'on_full: must be "stop" with a url'),
        ("url = 5", "store.url: must be a text"),
    ],
)
def test_a_configuration_is_told_what_is_wrong_with_its_url(tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "hub.toml").write_text(f"[store]\n{lines}\n")
    run = oesd("check-config", tmp_path / "hub.toml")
    assert run.returncode == 2
    assert said in run.stderr
    assert "canary" not in run.stdout + run.stderr


_WITHOUT = """
import sys
sys.modules["psycopg"] = None
from oesd.cli import main
main()
"""


def test_a_configuration_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[store]\nurl = "postgresql://oesd@db.lab/oesd"\n')
    command = [sys.executable, "-c", _WITHOUT, "check-config", str(tmp_path / "hub.toml")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert "pip install 'oesd[postgresql]'" in run.stderr
    assert "Traceback" not in run.stderr

"""Make the files of a released schema: run with the code of that time, never with today's.

    git archive COMMIT daemon drivers tests/daemon/store | tar -x -C THEN
    cp tests/daemon/store/data/make.py THEN && cd THEN && PYTHONPATH=daemon:drivers:. python make.py schema-N.tar.xz

What a killed daemon leaves: the database with its log not yet worked in, files of sealed days, and ``expected.json``:
what was acknowledged.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import io
import json
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from tests.daemon.store import making
from tests.daemon.store.making import NOW, analysis, device, entry, loss, spectrum_file

import oesd.model as model
from oesd.model import Kind, new_id
from oesd.store import OutboxState, Store

OF = device(pixels=64)


def saved(store, capture, made=None, **more):
    known = inspect.signature(store.save_capture).parameters
    store.save_capture(capture, made, upload=made is not None, **{k: v for k, v in more.items() if k in known}).result()
    return capture


def capture(kind, seed, **changes):
    return making.capture(kind, seed, OF, **changes)


def fill(store, path):
    """Something of everything that the version knows; the second half stays in the log."""
    run = {}
    if hasattr(store, "begin_run"):
        run = {"run": model.RunRecord("run-1", OF.name, 1_000_000, True, NOW, 0, "boot")}
    dark, reference = (saved(store, capture(kind, 100 + k)) for k, kind in enumerate((Kind.DARK, Kind.REFERENCE)))
    kept = [dark, reference]
    if hasattr(store, "tombstone"):
        let_go(store)
    entries = []
    for slot in range(4):
        sample = capture(Kind.SAMPLE, slot, taken_at_utc=NOW + timedelta(seconds=slot))
        more, made = dict(run), entry(sample, dark, reference)
        if slot == 3 and "short" in inspect.signature(store.save_capture).parameters:
            more["short"] = capture(Kind.SAMPLE, 50, slot=-1, integration_us=1000)
            made = replace(made, short_id=more["short"].record_id)
            kept.append(more["short"])
        kept.append(saved(store, sample, made, **more))
        entries.append(made)
        if slot == 1:
            store.write(lambda db: None).result()
            other = sqlite3.connect(path)
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")
            other.close()
    store.record_loss(replace(loss("device gone", 3), first_slot=4)).result()
    store.save_file(new_id(), spectrum_file(pixels=16), b"1;2\n", "old.txt").result()
    for made in entries[:2]:
        store.save_result(made.data_id, analysis(store.measurement(made.data_id)), {"run": "7"}).result()
    store.assign(entries[0].data_id, "p2", "Ar_417.3", now=NOW)
    store.fail_result(entries[2].data_id, "no light").result()
    item = store.outbox.item(entries[0].data_id)
    store.outbox.update(replace(item, state=OutboxState.CONFIRMED, remote_data_id=new_id())).result()
    if hasattr(store, "library"):
        judge(store, dark)
    if importlib.util.find_spec("oesd.store.sealing"):
        kept.append(a_day_later(store, run))
    return kept, entries


def a_day_later(store, run):
    """The day before is over: its spectra go into a file."""
    from oesd.store.sealing import Sealing

    sample = capture(Kind.SAMPLE, 70, slot=86_400, taken_at_utc=NOW + timedelta(days=1))
    saved(store, sample, entry(sample), **run)
    sealing = Sealing(store, least_bytes=1)
    while sealing.look(1 << 40, 1 << 30):
        pass
    assert list((store.directory / "segments").iterdir())
    return sample


def let_go(store):
    from oesd.store.keeping import Keeping, KeepingRules

    gone = entry(capture(Kind.SAMPLE, 60, slot=-1))
    for made in (gone, entry(capture(Kind.SAMPLE, 61, slot=-1))):
        sample = capture(Kind.SAMPLE, 62, slot=-1, record_id=made.sample_id)
        saved(store, sample, made)
        store.save_result(made.data_id, analysis(store.measurement(made.data_id)), {}).result()
    item = replace(store.outbox.item(gone.data_id), state=OutboxState.CONFIRMED, remote_data_id=new_id())
    store.outbox.update(item).result()
    Keeping(store, KeepingRules("drop_confirmed"), free=lambda _: 0).look()
    assert store.tombstone(gone.data_id) is not None
    store.refuse("")


def judge(store, dark):
    from oesd.store.dark_cells import StoredCell
    from oesd.store.verdicts import StoredVerdict

    verdict = StoredVerdict(dark.record_id, dark.kind, True, True, False, "dark", {"limit_counts": 12.5}, NOW, NOW)
    cell = StoredCell(1, np.arange(3.0), dark.counts_sum.astype(float), np.zeros(OF.pixels, bool))
    store.library.save_verdict(dark, verdict, cells=[cell]).result()


def expected(store, kept, entries):
    results = {made.data_id: store.result(made.data_id) for made in entries}
    tally = store.tally()
    return {
        "counts": {c.record_id: hashlib.sha256(c.counts_sum.tobytes()).hexdigest() for c in kept},
        "entries": {made.data_id: [made.sample_id, made.dark_id, made.reference_id] for made in entries},
        "peaks": {
            key: [[p.peak_id, p.wavelength_nm, p.element] for p in found.analysis.detected_peaks]
            for key, found in results.items()
            if found is not None
        },
        "outbox": store.outbox.counts(),
        "gone": [row[0].hex() for row in store.read(rows_gone)] if hasattr(store, "tombstone") else [],
        "tally": {
            name: getattr(tally, name) for name in ("captured", "stored", "darks", "references", "files", "lost")
        },
    }


def rows_gone(db):
    return db.execute("SELECT data_id FROM tombstones").fetchall()


def main(target):
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "data"
        store = Store.open(directory, clock=lambda: NOW)
        path = directory / "oesd.sqlite"
        other = sqlite3.connect(path)  # a second connection: closing the store's own works nothing into the file
        other.execute("PRAGMA journal_mode").fetchone()
        said = expected(store, *fill(store, path))
        left = Path(folder) / "left"
        left.mkdir()
        for name in ("oesd.sqlite", "oesd.sqlite-wal"):
            shutil.copyfile(directory / name, left / name)
        if (directory / "segments").exists():
            shutil.copytree(directory / "segments", left / "segments")
        (left / "expected.json").write_text(json.dumps(said))
        other.close()
        store.close()
        with tarfile.open(target, "w:xz", preset=9) as tar:
            for file in sorted(path for path in left.rglob("*") if path.is_file()):
                info = tarfile.TarInfo(str(file.relative_to(left)))
                info.size, info.mode = file.stat().st_size, 0o600
                tar.addfile(info, io.BytesIO(file.read_bytes()))
    print(target, os.stat(target).st_size)


if __name__ == "__main__":
    main(sys.argv[1])

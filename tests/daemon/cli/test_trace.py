"""``oesd trace``: a line over time as a table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.daemon.store.making import capture, device, entry, processed
from tests.support.daemons import oesd

from oesd.store import Store


def test_a_line_as_comma_separated_values(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        for lines_nm in ((294.4,), (294.4, 417.2)):
            sample = capture(of=device(pixels=64), taken_at_utc=datetime.now(UTC))
            store.save_capture(sample, made := entry(sample), upload=False).result(10)
            processed(store, made.data_id, lines_nm)
    told = oesd("trace", "chamber-a", "417", "--data", tmp_path / "data")
    assert (told.returncode, told.stderr) == (0, "")
    heading, without, with_line = told.stdout.splitlines()
    assert heading == "taken_at_utc,wavelength_nm,intensity,area"
    assert without.endswith("Z,,,")
    assert with_line.endswith("Z,417.2,1234.567,1500.25")
    nobody = oesd("trace", "nobody", "417", "--data", tmp_path / "data")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (2, 1)

"""Looking for results where no events are told: a break is bridged, clocks may differ, what is gone is passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import matplotlib
import matplotlib.pyplot as plt
import pytest

from oesd.client import ClientError, OESResult
from oesd.client.following import polled
from oesd.model import utc_text

DOCUMENT = {"wavelengths": [400.0, 401.0], "sample": [1.0, 2.0], "scope_corrected": [0.0, 1.0], "detected_peaks": []}
Look = Sequence[Mapping[str, str]] | ClientError


class Enough(Exception):
    """No more looks are given."""


class Cloud:
    """Answers each look with the next thing of a list."""

    def __init__(self, *looks: Look, gone: Sequence[str] = ()) -> None:
        self._looks = iter(looks)
        self._gone = gone
        self.asked: list[datetime] = []

    def catalogue(self, since: datetime) -> Sequence[Mapping[str, str]]:
        self.asked.append(since)
        look = next(self._looks, Enough())
        if isinstance(look, Exception):
            raise look
        return look

    def get(self, data_id: str) -> list[OESResult]:
        if data_id in self._gone:
            raise ClientError("no such entry", 404)
        return [OESResult({**DOCUMENT, "data_id": data_id})]

    def told(self, *, reconnect: bool = True) -> Iterator[str]:
        news = polled(self.catalogue, self.get, lambda _: None, reconnect=reconnect)
        try:
            for event in news:
                yield event.data["data_id"]
        except Enough:
            return


def entry(data_id: str, seconds: float) -> dict[str, str]:
    when = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"data_id": data_id, "last_updated": utc_text(when), "pipeline_status": "success"}


@pytest.mark.parametrize("status", [None, 429, 503])
def test_a_break_is_bridged_and_nothing_told_twice(status: int | None) -> None:
    one, two = entry("one", 1), entry("two", 2)
    cloud = Cloud([one], ClientError("no answer", status), [one, two])
    assert list(cloud.told()) == ["one", "two"]


@pytest.mark.parametrize(("status", "reconnect"), [(401, True), (None, False)])
def test_what_another_attempt_does_not_mend_is_said(status: int | None, reconnect: bool) -> None:
    with pytest.raises(ClientError):
        list(Cloud(ClientError("no", status)).told(reconnect=reconnect))


def test_a_server_whose_clock_is_behind_tells_what_is_new_all_the_same() -> None:
    before, after = entry("before", -400), entry("after", -300)
    cloud = Cloud([before], [before, after])
    assert list(cloud.told()) == ["after"]
    assert cloud.asked[0] < datetime.now(UTC) - timedelta(seconds=400)


def test_what_was_deleted_meanwhile_ends_nothing() -> None:
    assert list(Cloud([entry("gone", 1), entry("there", 2)], gone=["gone"]).told()) == ["there"]


@pytest.mark.parametrize("document", [None, [], "text", {**DOCUMENT, "data_id": "x", "spectral_metadata": "text"}])
def test_an_answer_that_is_none_is_one_line(document: object) -> None:
    with pytest.raises(ClientError, match="no OES result"):
        OESResult(document)  # type: ignore[arg-type]


def test_a_plot_says_the_unit_that_the_server_says() -> None:
    matplotlib.use("Agg")
    axes = OESResult({**DOCUMENT, "data_id": "x", "wavelength_unit": "$um"}).plot()
    assert axes.get_xlabel() == "wavelength / $um"
    axes.figure.canvas.draw()
    plt.close("all")

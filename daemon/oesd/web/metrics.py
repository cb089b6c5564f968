"""GET /metrics: the state as Prometheus reads it. Counters are the ledger's sums: they add up and outlive a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from oesd.web.bodies import Check
from oesd.web.calls import About, Call, reading
from oesd.web.entries import Nothing

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_TEXT = "text/plain"
_SUMS = {
    "captured": ("slots", "Sample slots that came due: stored plus lost"),
    "stored": ("slots_stored", "Sample slots with a stored spectrum"),
    "darks": ("darks", "Darks stored"),
    "references": ("references", "References stored"),
    "files": ("files", "Files stored as entries"),
    "processed": ("entries_processed", "Entries with a result"),
    "failed": ("entries_failed", "Entries that the engine refuses"),
    "uploaded": ("entries_uploaded", "Entries that the API has"),
    "confirmed": ("entries_confirmed", "Entries whose bytes were verified at the API"),
}
_LEVELS = {
    "waiting": ("entries_waiting", "Entries still to be processed"),
    "pending": ("entries_pending", "Entries not yet uploaded"),
    "quarantined": ("entries_quarantined", "Entries set aside as poison"),
    "local": ("entries_local", "Samples that are not to be uploaded"),
}
_LOSSES = {
    "lost": ("slots_lost", "Sample slots lost, by reason"),
    "lost_calibration": ("calibration_lost", "Slots of darks and references lost, by reason"),
    "tombstoned": ("samples_let_go", "Samples let go, by reason"),
    "tombstoned_files": ("files_let_go", "Files let go, by reason"),
}
_DISK = {"used_bytes": "Bytes of the database", "free_bytes": "Bytes free on its disk", "reusable_bytes": "Bytes in it"}
_DEVICE = {
    "captures": "Captures since it was opened",
    "saturated_pixels": "Pixels saturated in the last capture",
    "integration_us": "Integration time, microseconds",
    "scans": "Scans averaged",
}


def metrics_route(status: Callable[[], Mapping[str, Any]], listeners: Callable[[], int], may_read: Check) -> Call:
    """Return the route; ``listeners`` tells how many pages listen."""

    def read_metrics(request: Request, _: Nothing) -> Response:
        # Not imported before somebody asks: most daemons are never scraped.
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        may_read(request)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_State(status(), listeners()))
        headers = {"content-type": CONTENT_TYPE_PLAIN_0_0_4, "cache-control": "no-store"}
        return Response(generate_latest(registry), headers=headers)

    about = About("state", "The state as Prometheus reads it", media=(_TEXT,))
    return reading("/metrics", read_metrics, Nothing, about)


class _State:
    """A collector of one moment's state."""

    def __init__(self, status: Mapping[str, Any], listeners: int) -> None:
        self._status = status
        self._listeners = listeners

    def collect(self) -> Iterator[Metric]:
        """Metrics in a fixed order."""
        from prometheus_client.core import GaugeMetricFamily

        told = self._status
        yield GaugeMetricFamily(
            "oesd_healthy", "Whether every thread keeps its promise", float(bool(told.get("healthy")))
        )
        yield GaugeMetricFamily("oesd_uptime_seconds", "Since the start", float(told.get("uptime_s", 0.0)))
        yield GaugeMetricFamily("oesd_listeners", "Pages that listen to GET /events", float(self._listeners))
        yield from _sums(told.get("tally", {}))
        yield from _levels("oesd_disk", told.get("disk", {}), _DISK)
        yield from _devices(told.get("spectrometers", ()))
        yield from _queue(told.get("upload", {}))
        yield from _alarms(told.get("alarms") or {})


def _sums(tally: Mapping[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for key, (name, text) in _SUMS.items():
        yield CounterMetricFamily(f"oesd_{name}", text, float(tally.get(key, 0)))
    for key, (name, text) in _LEVELS.items():
        yield GaugeMetricFamily(f"oesd_{name}", text, float(tally.get(key, 0)))
    for key, (name, text) in _LOSSES.items():
        family = CounterMetricFamily(f"oesd_{name}", text, labels=("reason",))
        for reason, slots in sorted(tally.get(key, {}).items()):
            family.add_metric((reason,), float(slots))
        yield family


def _levels(prefix: str, told: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for key, text in known.items():
        if isinstance(told.get(key), int | float):
            yield GaugeMetricFamily(f"{prefix}_{key}", text, float(told[key]))


def _devices(units: Any) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    states = GaugeMetricFamily(
        "oesd_spectrometer_state", "1 for what it is doing; any word but the good ones is a trouble",
        labels=("device", "model", "state", "level"),
    )  # fmt: skip
    for unit in units:
        labels = [str(unit.get(key, "")) for key in ("name", "model", "word", "level")]
        states.add_metric(labels, 1.0)
    yield states
    for key, text in _DEVICE.items():
        family = GaugeMetricFamily(f"oesd_spectrometer_{key}", text, labels=("device",))
        for unit in units:
            if isinstance(unit.get(key), int | float):
                family.add_metric((str(unit.get("name", "")),), float(unit[key]))
        yield family


def _queue(upload: Mapping[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    state = GaugeMetricFamily("oesd_upload_state", "1 for the state of the forwarding", labels=("state",))
    state.add_metric((str(upload.get("state", "off")),), 1.0)
    yield state
    queue = GaugeMetricFamily("oesd_upload_queue", "Entries in each state of the outbox", labels=("state",))
    for name, entries in sorted(upload.get("counts", {}).items()):
        queue.add_metric((str(name),), float(entries))
    yield queue


def _alarms(alarms: Mapping[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    states = GaugeMetricFamily(
        "oesd_alarm_state", "1 for each alarm that is on or waits for a person", labels=("name", "device", "state")
    )
    for one in alarms.get("standing", ()):
        states.add_metric([str(one[key]) for key in ("name", "device", "state")], 1.0)
    yield states
    failed = GaugeMetricFamily("oesd_action_failed", "1 for each action that told nobody last", labels=("name",))
    for one in alarms.get("failed", ()):
        failed.add_metric((str(one["name"]),), 1.0)
    yield failed

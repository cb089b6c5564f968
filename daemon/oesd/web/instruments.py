"""GET /devices, /darks and /captures: the spectrometers, and what they took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import Capture, Kind, is_uuid, utc_text
from oesd.store import Store
from oesd.store.inventory import CaptureSummary, Judged, KnownDevice, known_devices, list_captures, list_judged
from oesd.version import __version__
from oesd.web.answers import JsonAnswer, Refusal, encode
from oesd.web.asking import Cursor, Name, Whole
from oesd.web.bodies import Check
from oesd.web.calls import JSON, About, Call, Query, reading
from oesd.web.entries import MOST, Nothing
from oesd.web.negotiation import tag, unless_known

_HEADED = (
    "run_id", "sequence", "slot", "scans", "boxcar_half_width_px", "detector_temperature_c", "board_temperature_c",
    "labels",
)  # fmt: skip


class Captured(Query):
    """A page of captures."""

    device: Name = Field("", description="name of the spectrometer")
    limit: Whole = Field(100, ge=1, le=MOST)
    cursor: Cursor | None = Field(None, description="`next` of the page before")


class Darks(Captured):
    """A page of darks, or of references."""

    kind: Literal["dark", "reference"] = "dark"


def instrument_routes(store: Store, status: Callable[[], Mapping[str, Any]], may_read: Check) -> list[Call]:
    """Return the routes."""

    def read_devices(request: Request, _: Nothing) -> Response:
        may_read(request)
        told = status()
        at_work = {str(one.get("name")): one for one in told.get("spectrometers", ())}
        known = {one.name: one for one in store.read(known_devices)}
        names = sorted({*at_work, *known})
        documents = [_device_document(name, at_work.get(name), known.get(name)) for name in names]
        return JsonAnswer({"devices": documents, "problems": told.get("problems", {})})

    def read_darks(request: Request, query: Darks) -> Response:
        may_read(request)
        kind = Kind(query.kind)
        found = store.read(lambda db: list_judged(db, query.limit, kind, device_name=query.device, cursor=query.cursor))
        following = str(found[-1].capture.number) if len(found) == query.limit else None
        return JsonAnswer({f"{query.kind}s": [_judged_document(one) for one in found], "next": following})

    def read_captures(request: Request, query: Captured) -> Response:
        may_read(request)
        found = store.read(lambda db: list_captures(db, query.limit, device_name=query.device, cursor=query.cursor))
        following = str(found[-1].number) if len(found) == query.limit else None
        return JsonAnswer({"captures": [_capture_document(one) for one in found], "next": following})

    def read_capture(request: Request, _: Nothing) -> Response:
        may_read(request)
        record_id = str(request.path_params["record_id"])
        capture = store.capture(record_id) if is_uuid(record_id) else None
        if capture is None:
            raise Refusal(404, "no such capture")
        return unless_known(request, tag(__version__, record_id), lambda: encode(_whole_document(capture)), JSON)

    darks = About("captures", "Darks or references with their verdicts, the last judged first", "DarkPage")
    one = About(
        "captures", "A capture as it was taken: raw counts", "CaptureDocument", refusals=(404,), conditional=True
    )
    return [
        reading(
            "/devices", read_devices, Nothing, About("state", "Every spectrometer that measures or did", "Devices")
        ),
        reading("/darks", read_darks, Darks, darks),
        reading(
            "/captures", read_captures, Captured, About("captures", "Captures, the last stored first", "CapturePage")
        ),
        reading("/captures/{record_id}", read_capture, Nothing, one),
    ]


def _device_document(name: str, unit: Mapping[str, Any] | None, known: KnownDevice | None) -> dict[str, Any]:
    """A spectrometer: as it described itself, and what it does when it is at work."""
    described: dict[str, Any] = {"name": name, "at_work": unit is not None}
    if known is not None:
        first_nm, last_nm = known.axis_nm
        described |= {"serial": known.serial, "model": known.model, "simulated": known.simulated}
        described |= {"pixels": known.pixels, "first_nm": first_nm, "last_nm": last_nm}
        described |= {key: known.described.get(key) for key in ("saturation_counts", "calibrated")}
        # what is applied beside the dark
        described |= {key: known.described.get(key, []) for key in ("nonlinearity", "stray_light")}
    return {**described, **(unit or {})}


def _capture_document(one: CaptureSummary) -> dict[str, Any]:
    return {
        "record_id": one.record_id,
        "kind": one.kind.value,
        "device_name": one.device_name,
        "model": one.model,
        "simulated": one.simulated,
        "integration_us": one.integration_us,
        "taken_at_utc": utc_text(one.taken_at_utc),
        **{name: one.head.get(name) for name in _HEADED},
    }


def _judged_document(one: Judged) -> dict[str, Any]:
    verdict = {"accepted": one.accepted, "proven": one.proven, "reason": one.reason}
    return {**_capture_document(one.capture), **verdict, "judged_at_utc": utc_text(one.judged_at_utc)}


def _whole_document(capture: Capture) -> dict[str, Any]:
    device = capture.device
    return {
        "record_id": capture.record_id,
        "kind": capture.kind.value,
        "device_name": device.name,
        "serial": device.serial,
        "model": device.model,
        "simulated": device.simulated,
        "integration_us": capture.integration_us,
        "taken_at_utc": utc_text(capture.taken_at_utc),
        **{name: getattr(capture, name) for name in _HEADED if name != "labels"},
        "labels": dict(capture.labels),
        "saturation_counts": device.saturation_counts,
        "saturated_pixels": np.flatnonzero(capture.saturated),
        "wavelengths_nm": device.wavelengths_nm,
        "counts": capture.counts,
        "spread": capture.spread,
    }

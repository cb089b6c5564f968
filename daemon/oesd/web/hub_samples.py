"""The hub's physical samples and projects: names that uploads are filed under."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.model import utc_text
from oesd.store.catalogue import Catalogue, Named, NameTaken
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.bodies import Check, takes_json, texts
from oesd.web.bucket import Clock

NAME_LIMIT = 200


class Samples:
    """Physical samples and projects over HTTP."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    def routes(self, may_read: Check, may_write: Check) -> list[Route]:
        """Return the routes, behind these checks."""

        def list_samples(request: Request) -> Response:
            may_read(request)
            return JsonAnswer([_document(sample) for sample in self._catalogue.samples()])

        def list_projects(request: Request) -> Response:
            may_read(request)
            return JsonAnswer([_document(project) for project in self._catalogue.projects()])

        def timeseries(request: Request) -> Response:
            may_read(request)
            _known(request.path_params["sample_id"], self._catalogue.samples(), "physical sample")
            # An OES entry is a spectrum at one moment; the hub keeps no series of a sample.
            return JsonAnswer({"results": []})

        tracking = "/projects/{project_id}/configuration/tracking_samples"
        return [
            Route("/physical_samples/", list_samples, methods=["GET"]),
            Route("/physical_samples/", takes_json(self._add_sample, may_write), methods=["POST"]),
            Route("/physical_samples/{sample_id}/timeseries/", timeseries, methods=["GET"]),
            Route("/projects/", list_projects, methods=["GET"]),
            Route("/projects/", takes_json(self._add_project, may_write), methods=["POST"]),
            Route(tracking, takes_json(self._track, may_write), methods=["POST"]),
        ]

    def _add_sample(self, _: Request, body: dict[str, Any]) -> Response:
        name = _name(body)
        try:
            return JsonAnswer(_document(self._catalogue.add_sample(name, self._clock())), 201)
        except NameTaken as problem:
            raise Refusal(409, {"physical_sample_id": problem.existing_id}) from problem

    def _add_project(self, _: Request, body: dict[str, Any]) -> Response:
        name = _name(body)
        try:
            return JsonAnswer(_document(self._catalogue.add_project(name, self._clock())), 201)
        except NameTaken as problem:
            raise Refusal(409, {"project_id": problem.existing_id}) from problem

    def _track(self, request: Request, body: dict[str, Any]) -> Response:
        project = _known(request.path_params["project_id"], self._catalogue.projects(), "project")
        (sample_id,) = texts(body, "physical_sample_id")
        sample = _known(sample_id, self._catalogue.samples(), "physical sample")
        active = body.get("set_active", True)
        if not isinstance(active, bool):
            raise unprocessable(("body", "set_active"), "must be true or false", "bool_type")
        self._catalogue.track(project.id, sample.id, active=active)
        return JsonAnswer({"project_id": project.id, "physical_sample_id": sample.id, "active": active})


def _known(wanted: str, things: list[Named], kind: str) -> Named:
    for thing in things:
        if thing.id == wanted:
            return thing
    raise Refusal(404, f"no such {kind}")


def _name(body: dict[str, Any]) -> str:
    (name,) = texts(body, "name")
    if not 0 < len(name.strip()) <= NAME_LIMIT:
        raise unprocessable(("body", "name"), f"must have 1 to {NAME_LIMIT} characters")
    return name.strip()


def _document(thing: Named) -> dict[str, Any]:
    return {"id": thing.id, "name": thing.name, "created_at": utc_text(thing.made_at_utc)}

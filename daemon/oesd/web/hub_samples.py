"""The hub's physical samples and projects: names that uploads are filed under."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import utc_text
from oesd.store.catalogue import Catalogue, Named, NameTaken
from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.bodies import Check
from oesd.web.bucket import Clock
from oesd.web.calls import About, Call, TolerantBody, TolerantQuery, changing, reading

NAME_LIMIT = 200


class NewName(TolerantBody):
    """What it is called."""

    name: str

    @field_validator("name")
    @classmethod
    def _is_some(cls, name: str) -> str:
        if not 0 < len(name.strip()) <= NAME_LIMIT:
            raise ValueError(f"must have 1 to {NAME_LIMIT} characters")
        return name.strip()


class Tracking(TolerantBody):
    """Which sample a project follows, or no longer."""

    physical_sample_id: str
    set_active: bool = True


class Samples:
    """Physical samples and projects over HTTP."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    def routes(self, may_read: Check, may_write: Check) -> list[Call]:
        """Return the routes, behind these checks."""

        def list_samples(request: Request, _: TolerantQuery) -> Response:
            may_read(request)
            return JsonAnswer([_document(sample) for sample in self._catalogue.samples()])

        def list_projects(request: Request, _: TolerantQuery) -> Response:
            may_read(request)
            return JsonAnswer([_document(project) for project in self._catalogue.projects()])

        def timeseries(request: Request, _: TolerantQuery) -> Response:
            may_read(request)
            _known(request.path_params["sample_id"], self._catalogue.samples(), "physical sample")
            # An OES entry is a spectrum at one moment; the hub keeps no series of a sample.
            return JsonAnswer({"results": []})

        def about(summary: str, answer: str, status: int = 200, *refusals: int) -> About:
            return About("samples", summary, answer, status, refusals=refusals)

        samples, projects = "/physical_samples/", "/projects/"
        series, tracking = (
            f"{samples}{{sample_id}}/timeseries/",
            f"{projects}{{project_id}}/configuration/tracking_samples",
        )
        return [
            reading(samples, list_samples, TolerantQuery, about("The physical samples", "NamedList")),
            changing("POST", samples, self._add_sample, NewName, may_write,
                     about("Make a physical sample", "Named", 201, 409)),
            reading(series, timeseries, TolerantQuery, about("The series of a sample: none", "Series", 200, 404)),
            reading(projects, list_projects, TolerantQuery, about("The projects", "NamedList")),
            changing("POST", projects, self._add_project, NewName, may_write,
                     about("Make a project", "Named", 201, 409)),
            changing("POST", tracking, self._track, Tracking, may_write,
                     about("Have a project follow a sample", "Tracked", 200, 404)),
        ]  # fmt: skip

    def _add_sample(self, _: Request, body: NewName) -> Response:
        try:
            return JsonAnswer(_document(self._catalogue.add_sample(body.name, self._clock())), 201)
        except NameTaken as problem:
            raise Refusal(409, {"physical_sample_id": problem.existing_id}) from problem

    def _add_project(self, _: Request, body: NewName) -> Response:
        try:
            return JsonAnswer(_document(self._catalogue.add_project(body.name, self._clock())), 201)
        except NameTaken as problem:
            raise Refusal(409, {"project_id": problem.existing_id}) from problem

    def _track(self, request: Request, body: Tracking) -> Response:
        project = _known(request.path_params["project_id"], self._catalogue.projects(), "project")
        sample = _known(body.physical_sample_id, self._catalogue.samples(), "physical sample")
        self._catalogue.track(project.id, sample.id, active=body.set_active)
        return JsonAnswer({"project_id": project.id, "physical_sample_id": sample.id, "active": body.set_active})


def _known(wanted: str, things: list[Named], kind: str) -> Named:
    for thing in things:
        if thing.id == wanted:
            return thing
    raise Refusal(404, f"no such {kind}")


def _document(thing: Named) -> dict[str, Any]:
    return {"id": thing.id, "name": thing.name, "created_at": utc_text(thing.made_at_utc)}

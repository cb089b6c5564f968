"""The files of the page as they are served, and what its document asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import httpx
import pytest
from starlette.applications import Starlette

from oesd.web import Server
from oesd.web.pages import page_routes

PAGE = files("oesd.web").joinpath("page")
# Documents' own scripts, and what only the hub's ask for.
ELSEWHERE = {"docs.js", "hub.js", "hub_lists.js", "page.js", "stream.js"}


@pytest.fixture(params=["index.html", "hub.html"])
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    server = Server(Starlette(routes=list(page_routes(request.param))), port=0)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as made:
        yield made
    server.stop()


def test_a_file_that_the_browser_has_is_not_sent_again(client: httpx.Client) -> None:
    for path in ("/", "/page.css", "/spectrum.js", "/icon.svg"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
        assert client.get(path, headers={"If-None-Match": '"another"'}).content == answer.content


def test_what_a_document_names_is_served(client: httpx.Client) -> None:
    named = re.findall(r'(?:href|src)="(/[\w.-]+)"', client.get("/").text)
    assert named
    for path in named:
        assert path == "/status" or client.get(path).status_code == 200, path


def test_all_scripts_of_the_page_are_asked_for_at_once() -> None:
    """One that is found only in another's text costs a round trip before the first picture."""
    scripts = {entry.name for entry in PAGE.iterdir() if entry.name.endswith(".js")} - ELSEWHERE
    document = PAGE.joinpath("index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'rel="modulepreload" href="/([\w.]+)"', document)) == scripts
    for name in scripts | ELSEWHERE:
        imported = re.findall(r'from "/([\w.]+)"', PAGE.joinpath(name).read_text(encoding="utf-8"))
        assert set(imported) <= scripts | ({"hub_lists.js", "stream.js"} if name == "hub.js" else set()), name

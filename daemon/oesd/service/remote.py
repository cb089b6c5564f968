"""A running daemon, asked over its API."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from oesd.model import Recipe, utc_text
from oesd.processing.importing import Imported
from oesd.processing.jobs import Versions, versions
from oesd.processing.keeping import pack_answers
from oesd.processing.reprocessing import Reader
from oesd.service.asking import RECENT, AccessError, FileRefused, checked, newest
from oesd.service.directory import check_readable, listens_at, token_of
from oesd.store.accounts import RUNS_LIMIT, By
from oesd.store.onlooker import Onlooker
from oesd.upload.address import is_loopback

HOW_TO_START = "start one with oesd run --config FILE, or systemctl start oesd; --url or --data names another"
_TIMEOUT_S = 30.0
_LONG_S = 600.0
"""For what goes through whole runs: a daemon that measures makes it a little at a time."""
_TURN_S = 120.0
"""How long to wait for a turn at what the daemon makes for a few at a time."""
_PIECE = 1 << 16
_LONGEST_ANSWER = 64 * 1024 * 1024
_NO_KEY, _NO_SPECTRUM, _BUSY = 401, 422, 503
_NO_SUCH_PAGE = "Not Found"  # of the web framework; what ours says names what is not found
Body = Mapping[str, Any] | bytes | None


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token would go along, to whatever host it names."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


class Remote:
    """A running daemon, asked over its API.

    Parameters
    ----------
    url : str
    token : str
        That of the daemon, goes with every request; "" on the daemon's own machine, where it is in its directory.

    Raises
    ------
    AccessError
        When the token would go over a network unencrypted.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._given = token.strip()
        if "@" in self._url:
            raise AccessError("an address of a daemon holds no name and no password: its token goes in OESD_TOKEN")
        if self._given and not _is_private(self._url):
            raise AccessError(f"{self._url}: a token goes by https only, or to this machine")
        # No proxy: the daemon is on this machine, and its token must not leave it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere)

    @property
    def url(self) -> str:
        """Address of the daemon, without a final slash."""
        return self._url

    def status(self) -> Mapping[str, Any]:
        """The daemon's state."""
        return self._object("GET", "/status")

    def latest(self) -> str:
        """Data id of the newest entry of any spectrometer that has a result."""
        return newest([(entry["data_id"], entry["revision"]) for entry in self._page("")])

    def entries(self) -> Sequence[str]:
        """Data ids of all entries, oldest first."""
        found: list[str] = []
        page = self._page("")
        while page:
            found += [entry["data_id"] for entry in page]
            page = self._page(f"&before={found[-1]}")
        return found[::-1]

    def _page(self, before: str) -> list[dict[str, Any]]:
        page = self._ask("GET", f"/entries?limit={RECENT}{before}")
        if not (isinstance(page, list) and all(isinstance(entry, dict) and "revision" in entry for entry in page)):
            raise AccessError(f"{self._url}: this is not an oesd daemon")
        return page

    def document(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes document of an entry."""
        return self._object("GET", f"/oes/{checked(data_id)}")

    def assign(self, data_id: str, peak_id: str, candidate_key: str) -> Mapping[str, Any]:
        """Choose a candidate of a peak by hand."""
        body = {"peak_id": peak_id, "candidate_key": candidate_key}
        return self._object("PATCH", f"/oes/{checked(data_id)}/peaks", body)

    def evidence(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes/{data_id}/evidence document."""
        return self._object("GET", f"/oes/{checked(data_id)}/evidence")

    def keep(self, answers: Mapping[str, bytes]) -> Mapping[str, str]:
        """Store the answers of workers; by data id "" or why it was not stored."""
        kept: Mapping[str, str] = self._object("POST", "/results", pack_answers(answers))["kept"]
        return kept

    def import_file(self, data: bytes, filename: str) -> Imported:
        """Store a file of other software as an entry; the daemon analyses it when its turn comes."""
        answer = self._object("POST", "/files", data, filename)
        return Imported(str(answer.get("data_id")), bool(answer.get("new")))

    def recipe(self) -> Recipe | None:
        """The daemon's recipe; refuses a daemon with another engine."""
        said = self.status()
        try:
            theirs, recipe = Versions(*said["versions"]), Recipe.from_dict(said["recipe"])
        except (KeyError, TypeError, ValueError):
            raise AccessError(f"{self._url}: the daemon is older than this command: restart it") from None
        if theirs != (mine := versions()):
            raise AccessError(f"the daemon has {theirs}, this command {mine}: restart the daemon with the same oesd")
        return recipe

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """The daemon's store, read beside it."""
        directory = Path(str(self.status().get("data_dir", "")))
        check_readable(directory)
        # By way of a tunnel a daemon of another computer answers, and ours may have a directory of that name.
        if not listens_at(self._url, directory):
            raise AccessError(
                f"{self._url}: this reads the archive itself, and no daemon of this computer listens there: run the "
                "command on the daemon's own computer"
            )
        with Onlooker(directory) as store:
            yield store

    def ledger(self, by: By, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /ledger document."""
        return self._object("GET", f"/ledger?by={by}&{_query(device_name, since)}")

    def runs(self, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /runs document."""
        return self._object("GET", f"/runs?limit={RUNS_LIMIT}&{_query(device_name, since)}")

    def order(self, body: Mapping[str, Any]) -> Mapping[str, str]:
        """Order a run, as POST /runs takes it; returns what happens by spectrometer."""
        said: Mapping[str, str] = self._object("POST", "/runs", body)["spectrometers"]
        return said

    def label_run(self, run_id: str, device: str, labels: Mapping[str, str | None]) -> Mapping[str, Mapping[str, str]]:
        """Change labels of a run that is on; returns all it has by spectrometer."""
        path = f"/runs/{urllib.parse.quote(run_id, safe='')}"
        said = self._object("PATCH", path, {"labels": labels, "device": device})
        given: Mapping[str, Mapping[str, str]] = said["labels"]
        return given

    def capture(self, kind: str, device: str) -> Sequence[str]:
        """Order a capture; returns the names of the spectrometers that take it."""
        names: Sequence[str] = self._object("POST", "/captures", {"kind": kind, "device": device})["ordered"]
        return names

    def alarms(self) -> Mapping[str, Any]:
        """The GET /alarms document."""
        return self._object("GET", "/alarms")

    def acknowledge(self, name: str, device: str, by: str) -> Sequence[str]:
        """Say that an alarm was seen; returns of which spectrometers."""
        path = f"/alarms/{urllib.parse.quote(name, safe='')}/acknowledge"
        names: Sequence[str] = self._object("POST", path, {"device": device, "by": by})["acknowledged"]
        return names

    def back_test(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """The POST /backtest document."""
        return self._object("POST", "/backtest", order, timeout_s=_LONG_S)

    def compare(self, run: str, device: str, golden: str = "", by: str = "") -> Mapping[str, Any]:
        """The GET /compare document of a run and a golden run, that of its spectrometer when none is named."""
        asked = {"run": run, "device": device, "golden": golden, "by": by}
        return self._object("GET", f"/compare?{_filled(asked)}", timeout_s=_LONG_S)

    def traces(self) -> Sequence[Mapping[str, Any]]:
        """The named traces of the GET /traces document."""
        traces: Sequence[Mapping[str, Any]] = self._object("GET", "/traces")["traces"]
        return traces

    def named_trace(self, name: str, device: str, since: datetime, until: datetime) -> Mapping[str, Any]:
        """The GET /traces document of a named trace, or of a line by its key."""
        asked = {"name": name, "device": device, "from": utc_text(since), "to": utc_text(until)}
        return self._object("GET", f"/traces?{_filled(asked)}", timeout_s=_LONG_S)

    def peaks_near(self, nm: float, near_nm: float, device: str, since: datetime, until: datetime) -> Mapping[str, Any]:
        """The GET /trace document: the peak nearest to a wavelength in each spectrum."""
        when = {"since": utc_text(since), "until": utc_text(until)}
        asked = {"device_name": device, "nm": repr(nm), "near_nm": repr(near_nm), **when}
        return self._object("GET", f"/trace?{_filled(asked)}", timeout_s=_LONG_S)

    def search(self, asked: Sequence[tuple[str, str]]) -> list[str]:
        """Data ids of the entries that GET /oes finds, newest first."""
        found: list[str] = []
        after: list[tuple[str, str]] = []
        while True:
            page = self._object("GET", f"/oes?{urllib.parse.urlencode([*asked, ('limit', str(RECENT)), *after])}")
            found += [entry["data_id"] for entry in page["entries"]]
            if not page.get("next"):
                return found
            after = [("cursor", str(page["next"]))]

    @contextmanager
    def export(self, asked: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """GET /export: the file's name and its pieces, which end with an AccessError where the daemon ends midway."""
        with self._told():  # and not while they are written: a full disk here does not mean that no daemon answers
            answer = self._in_turn(f"/export?{urllib.parse.urlencode(asked)}")
        with answer:
            yield Path(answer.headers.get_filename("export")).name, self._pieces(answer)

    def _in_turn(self, path: str) -> http.client.HTTPResponse:
        """What others may be having made just now: a long export must not end because somebody else's has begun."""
        until_s = time.monotonic() + _TURN_S
        while True:
            try:
                return self._opened("GET", path, timeout_s=_LONG_S)
            except urllib.error.HTTPError as error:
                wait = error.headers.get("retry-after", "")
                if error.code != _BUSY or not wait.isdecimal() or time.monotonic() + int(wait) > until_s:
                    raise
                error.close()
            time.sleep(int(wait))

    def _pieces(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while piece := answer.read(_PIECE):
                yield piece
            if answer.length:  # of those that were promised: http.client ends a read in pieces without a word
                raise http.client.IncompleteRead(b"", answer.length)
        except (OSError, http.client.HTTPException) as error:
            raise AccessError(f"{self._url}: the daemon broke the export off ({error}); its log says why") from None

    def _object(
        self, method: str, path: str, body: Body = None, filename: str = "", timeout_s: float = _TIMEOUT_S
    ) -> dict[str, Any]:
        answer = self._ask(method, path, body, filename, timeout_s)
        if not isinstance(answer, dict):
            raise AccessError(f"{self._url}: this is not an oesd daemon")
        return answer

    def _ask(self, method: str, path: str, body: Body = None, filename: str = "", timeout_s: float = _TIMEOUT_S) -> Any:
        with self._answer(method, path, body, filename, timeout_s) as answer:
            return json.loads(answer.read(_LONGEST_ANSWER))

    @contextmanager
    def _answer(
        self, method: str, path: str, body: Body = None, filename: str = "", timeout_s: float = _TIMEOUT_S
    ) -> Iterator[http.client.HTTPResponse]:
        with self._told(filename), self._opened(method, path, body, filename, timeout_s) as answer:
            yield answer

    def _opened(
        self, method: str, path: str, body: Body = None, filename: str = "", timeout_s: float = _TIMEOUT_S
    ) -> http.client.HTTPResponse:
        headers = {"X-API-KEY": self._given} if self._given else {}
        if body is not None:
            kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
            headers = {"Content-Type": kind, "X-API-KEY": self._given or self._token()}
        if filename:
            headers["X-Filename"] = urllib.parse.quote(filename, safe="")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        # The scheme is the caller's: _url comes from the daemon's own note or from the person's option.
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310
        return self._opener.open(request, timeout=timeout_s)  # type: ignore[no-any-return]

    @contextmanager
    def _told(self, filename: str = "") -> Iterator[None]:
        """Errors of asking as one line for a person."""
        try:
            yield
        except urllib.error.HTTPError as error:
            with error:
                refused = FileRefused if filename and error.code == _NO_SPECTRUM else AccessError
                raise refused(_refusal(error)) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            if isinstance(why, TimeoutError):
                raise AccessError(
                    f"the daemon at {self._url} did not answer in time: try again; its log says more"
                ) from None
            raise AccessError(f"no oesd daemon answers at {self._url} ({why}): {HOW_TO_START}") from None
        except ValueError:
            raise AccessError(f"{self._url}: this is not an oesd daemon") from None

    def _token(self) -> str:
        """Token of the daemon at our URL; the directory that it names must name this URL too."""
        return token_of(self._url, Path(str(self.status().get("data_dir", ""))))


def _query(device_name: str | None, since: datetime) -> str:
    query = {"since": utc_text(since)} | ({} if device_name is None else {"device_name": device_name})
    return urllib.parse.urlencode(query)


def _filled(asked: Mapping[str, str]) -> str:
    return urllib.parse.urlencode({name: value for name, value in asked.items() if value})


def _is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent there."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        detail = json.loads(error.read(_LONGEST_ANSWER))["detail"]
    except (ValueError, KeyError, TypeError):
        return f"the daemon answered {error.code}"
    if isinstance(detail, list) and detail:
        return str(detail[0].get("msg", "refused"))
    if error.code == _NO_KEY:
        return f"{detail}: give the daemon's token in OESD_TOKEN, with --url"
    if detail == _NO_SUCH_PAGE:
        return "the daemon there does not know this: it is of another version, or a hub"
    return str(detail)

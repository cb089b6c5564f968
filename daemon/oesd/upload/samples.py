"""Physical samples and projects: where a run's labels say that its spectra are filed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from oesd.model import is_uuid
from oesd.upload.answers import RemoteNamed
from oesd.upload.client import OesApi
from oesd.upload.errors import NotFound, RecordRefused, one_line

_log = logging.getLogger(__name__)


class Filing:
    """Finds the physical sample that labels name, makes it when there is none, and puts it on its project's list.

    A name is compared as the API does: without blanks at the ends, upper and lower case alike. What was found is kept
    until the process ends. A project is never made: one that the API does not know is said once, and left out. An API
    without these calls files nothing.

    Parameters
    ----------
    sample_label, project_label : str
        Names of the labels; empty for "not filed".
    """

    def __init__(self, api: OesApi, sample_label: str, project_label: str) -> None:
        self._api = api
        self._sample_label = sample_label
        self._project_label = project_label
        self._samples: dict[str, RemoteNamed] = {}
        self._projects: dict[str, str] | None = None
        self._tracked: set[tuple[str, str]] = set()
        self._said: set[str] = set()
        self._doubted: set[str] = set()  # ids that were asked for again
        self._guard = threading.Lock()  # two workers must not make one sample twice

    def place(self, labels: Mapping[str, str]) -> RemoteNamed | None:
        """Physical sample for a record with these labels, None when it is filed under none.

        Raises
        ------
        UploadError
            When the API cannot be asked now; a refusal is no error but leaves the record unfiled.
        """
        name = labels.get(self._sample_label, "").strip()
        if not self._sample_label or not name:
            return None
        with self._guard:
            try:
                sample = self._sample(name)
                if self._project_label:
                    self._track(labels.get(self._project_label, "").strip(), sample)
            except (NotFound, RecordRefused) as refusal:
                self._say(f"spectra of the physical sample {one_line(name, 80)!r} are not filed: {refusal}")
                return self._samples.get(_key(name))
        return sample

    def forget(self, sample: RemoteNamed) -> bool:
        """Ask the API anew for a sample that it does not take; False when that was of no use before."""
        with self._guard:
            if sample.id in self._doubted:
                return False
            self._doubted.add(sample.id)
            self._samples = {key: known for key, known in self._samples.items() if known.id != sample.id}
            return True

    def believe(self, sample: RemoteNamed) -> None:
        """Note that the API took a sample: the next refusal is worth another look."""
        with self._guard:
            self._doubted.discard(sample.id)

    def give_up(self, labels: Mapping[str, str], why: Exception) -> None:
        """Say that records with these labels go up unfiled, because the API's samples make no sense."""
        name = one_line(labels.get(self._sample_label, "").strip(), 80)
        self._say(f"spectra of the physical sample {name!r} are not filed: {why}")

    def _sample(self, name: str) -> RemoteNamed:
        if _key(name) not in self._samples:
            listed = {_key(found.name): found for found in self._api.physical_samples()}
            by_id = {found.id: found for found in listed.values()}
            self._samples.update(listed)
            if is_uuid(name) and name in by_id:
                return by_id[name]
            if _key(name) not in listed:
                self._samples[_key(name)] = self._api.make_physical_sample(name)
        return self._samples[_key(name)]

    def _track(self, project: str, sample: RemoteNamed) -> None:
        if not project:
            return
        project_id = self._project_id(project)
        if project_id and (project_id, sample.id) not in self._tracked:
            self._api.track_sample(project_id, sample.id)
            self._tracked.add((project_id, sample.id))

    def _project_id(self, name: str) -> str:
        if self._projects is None or _key(name) not in self._projects:
            self._projects = {_key(found.name): found.id for found in self._api.projects()}
        if _key(name) not in self._projects:
            self._say(f"the API has no project {one_line(name, 80)!r}; the physical sample is filed without one")
            self._projects[_key(name)] = ""
        return self._projects[_key(name)]

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            _log.warning("%s", text)


def _key(name: str) -> str:
    return name.strip().casefold()

"""What people call golden: one run and one spectrum of each spectrometer, kept in a small file beside the data."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from oesd.store.directory import GOLDEN_NAME, replace_durably
from oesd.store.held import Held

log = logging.getLogger(__name__)

Sort = Literal["runs", "spectra"]
_TELLING = 4  # so much of an id tells which run is meant, here as in commands
_SORTS: tuple[Sort, ...] = ("runs", "spectra")


class GoldenError(OSError):
    """The choice cannot be kept: one line for a person."""


class Golden:
    """The choices of a data directory.

    Parameters
    ----------
    directory : Path
    changed : callable
        Called after each change, by the thread that made it.
    """

    def __init__(self, directory: Path, changed: Callable[[], None] = lambda: None) -> None:
        self._file = directory / GOLDEN_NAME
        self._changed = changed
        self._lock = threading.Lock()
        self._kept = _read(self._file)

    def document(self) -> dict[Sort, dict[str, dict[str, str]]]:
        """The choices, JSON-ready: by sort and spectrometer what was chosen and when."""
        with self._lock:
            return {sort: {device: dict(one) for device, one in self._kept[sort].items()} for sort in _SORTS}

    def run_ids(self) -> dict[str, str]:
        """The golden run by spectrometer."""
        return {device: one["run_id"] for device, one in self.document()["runs"].items()}

    def held(self, configured: Iterable[str] = ()) -> Held:
        """What is kept beyond retention: these, and the runs that the configuration calls golden."""
        document = self.document()
        runs = {device: frozenset([one["run_id"]]) for device, one in document["runs"].items()}
        spectra = frozenset(one["data_id"] for one in document["spectra"].values())
        return Held(runs, spectra, tuple(one for one in configured if len(one) >= _TELLING))

    def keep(self, sort: Sort, chosen: Mapping[str, Mapping[str, str]]) -> None:
        """Choose by spectrometer; what was golden before no longer is, what is golden already stays as it is.

        Raises
        ------
        GoldenError
            When the file cannot be written: nothing has changed then.
        """
        self._change(sort, lambda kept: {**kept, **_others(kept, chosen)})

    def forget(self, sort: Sort, name: str, value: str, device: str = "") -> None:
        """Choose it no longer, of one spectrometer or of all; errors as :meth:`keep`."""
        self._change(
            sort, lambda kept: {k: one for k, one in kept.items() if one[name] != value or device not in ("", k)}
        )

    def _change(self, sort: Sort, change: Callable[[dict[str, dict[str, str]]], dict[str, dict[str, str]]]) -> None:
        with self._lock:
            fresh = dict(self._kept)
            fresh[sort] = change(self._kept[sort])
            if fresh == self._kept:
                return
            _write(self._file, fresh)
            self._kept = fresh
        self._changed()


def _read(file: Path) -> dict[Sort, dict[str, dict[str, str]]]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return {sort: {str(name): _texts(one) for name, one in document[sort].items()} for sort in _SORTS}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        log.warning("%s: cannot be read, nothing is golden: %s", file, error)
    return {"runs": {}, "spectra": {}}


def _others(kept: Mapping[str, Any], chosen: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """What is chosen and was not before, whenever that was."""

    def told(one: Mapping[str, str]) -> dict[str, str]:
        return {name: text for name, text in one.items() if name != "at_utc"}

    return {device: dict(one) for device, one in chosen.items() if told(one) != told(kept.get(device, {}))}


def _texts(one: Mapping[str, Any]) -> dict[str, str]:
    found = {str(name): str(text) for name, text in one.items()}
    if not ("run_id" in found or "data_id" in found):
        raise ValueError("neither a run nor a spectrum")
    return found


def _write(file: Path, document: Mapping[Sort, Any]) -> None:
    try:
        replace_durably(file, json.dumps(document, ensure_ascii=False))
    except OSError as error:
        raise GoldenError(f"{file}: cannot be written: {error.strerror or error}") from error

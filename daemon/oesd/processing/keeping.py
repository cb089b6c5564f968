"""Answers of workers made revisions: the part of reprocessing that only the owner of the store may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from oesd.model import Result
from oesd.processing.jobs import BadAnswer, OtherVersion, Versions, read_answer, versions
from oesd.processing.made import Measure, no_readings
from oesd.store import Store, StoreError, UnknownEntry
from oesd.store.bundle import pack_bundle, unpack_bundle
from oesd.store.standing import Wanted


def pack_answers(answers: Mapping[str, bytes]) -> bytes:
    """Answers by data id as one message."""
    return pack_bundle({}, answers)


def unpack_answers(message: bytes) -> dict[str, bytes]:
    """Inverse of :func:`pack_answers`.

    Raises
    ------
    BadAnswer
        When the bytes are no such message.
    """
    try:
        return unpack_bundle(message)[1]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadAnswer(f"these are no answers of workers: {error}") from error


def keep_answers(
    store: Store,
    answers: Mapping[str, bytes],
    metadata: Callable[[str], Mapping[str, Any]],
    readings: Measure = no_readings,
) -> dict[str, str]:
    """Store each answer as the next revision of its entry, or its refusal, in one or two commits for all.

    Peak ids and overrides are carried on by the store.

    Returns
    -------
    dict
        By data id "" when it is stored, else why not: of this entry alone.

    Raises
    ------
    OtherVersion
        When an answer is of another engine than this process has; nothing of it is stored.
    """
    saved: dict[str, Future[Result] | Future[None] | str] = {}
    for data_id, answer in answers.items():
        try:
            saved[data_id] = _saved(store, data_id, answer, metadata, readings)
        except (StoreError, BadAnswer) as error:
            saved[data_id] = str(error)
    return {data_id: one if isinstance(one, str) else _waited(one) for data_id, one in saved.items()}


def _saved(
    store: Store,
    data_id: str,
    answer: bytes,
    metadata: Callable[[str], Mapping[str, Any]],
    readings: Measure,
) -> Future[Result] | Future[None]:
    measurement = store.measurement(data_id)
    if measurement is None:
        raise UnknownEntry(data_id)
    said = read_answer(answer, measurement)
    if isinstance(said, str):
        return store.fail_result(data_id, said)
    if (theirs := Versions.of(said)) != (mine := versions()):
        raise OtherVersion(f"results of {theirs}, but the daemon has {mine}: restart it with the same oesd")
    told = store.standings(Wanted((data_id,)))
    measured = readings(told[0].device_name, measurement, said) if told else b""
    return store.save_result(data_id, said, metadata(data_id), measured)


def _waited(future: Future[Result] | Future[None]) -> str:
    try:
        future.result()
    except StoreError as error:
        return str(error)
    return ""

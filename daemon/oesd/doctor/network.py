"""The way to the OES API: proxy, TLS, and whether the key is taken."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from oesd.config import Config
from oesd.doctor.clock import SET_CLOCK
from oesd.doctor.finding import Finding, Host, fault, ok, warning
from oesd.doctor.key import service_key
from oesd.upload import ApiKey, ApiKeyError, ApiKeyMalformed, ApiKeyMissing, Deadlines, OesApi, UploadError
from oesd.upload.errors import CredentialBlocked

_PROXY_NAMES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_CLOCKS_APART_S = 60.0  # two that are kept by the network differ by less than a second
_DEADLINES = Deadlines(connect_s=5.0)
_RESTART = "sudo systemctl restart oesd"
_SET = f"sudo oesd key set, then: {_RESTART}"


def network(config: Config, host: Host) -> Iterator[Finding]:
    """Findings on forwarding; asks the API for its time, then for something that needs the key."""
    if not config.upload.endpoint:
        yield ok("upload", "no endpoint is configured: nothing leaves this machine")
        return
    proxied = next((name for name in _PROXY_NAMES if os.environ.get(name)), None)
    if proxied and not config.upload.proxy:
        yield warning(
            "proxy", f"{proxied} is set, but only [upload] proxy counts", "[upload] proxy = ... if one is needed"
        )
    try:
        key = service_key(config, host)
    except ApiKeyError as error:
        waits = ": spectra wait" if isinstance(error, ApiKeyMissing) else ""
        yield fault("key", f"{error}{waits}", _cure(config, error))
        return
    if key is None:
        yield warning("key", "it is root's to read, so it was not tried", "sudo oesd doctor")
        return
    yield from _ask(config, key)


def _cure(config: Config, error: UploadError) -> str:
    """What mends a key: a site's own file counts before the one that ``oesd key set`` writes."""
    file = config.upload.key_file
    if file is None:
        return _SET
    if isinstance(error, ApiKeyMissing | ApiKeyMalformed | CredentialBlocked):
        return f"write the key into {file}, or take [upload] key_file out, sudo oesd key set; then: {_RESTART}"
    name = shlex.quote(str(file))
    return f"a plain file of the service's own: sudo chown oesd {name} && sudo chmod 600 {name}; then: {_RESTART}"


def _answers(endpoint: str, offset_s: float) -> Finding:
    told = f"{endpoint} answers; its clock is {offset_s:+.1f} s from ours"
    if abs(offset_s) < _CLOCKS_APART_S:
        return ok("API", told)
    return warning("API", f"{told}: one of them is wrong, and so may be the dates of spectra", SET_CLOCK)


def _ask(config: Config, key: ApiKey) -> Iterator[Finding]:
    endpoint = config.upload.endpoint
    try:
        with OesApi(endpoint, key, deadlines=_DEADLINES, proxy=config.upload.proxy or None) as api:
            offset = api.gateway_time()
            yield _answers(endpoint, offset.offset_ms / 1e3)
            api.projects()
            yield ok("key", "the API takes it")
    except CredentialBlocked as error:
        yield fault("key", f"the API does not take it: {error}", _cure(config, error))
    except UploadError as error:
        yield fault(
            "API", str(error), "see that this machine reaches it: network, [upload] proxy, certificates; spectra wait"
        )

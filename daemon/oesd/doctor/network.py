"""The way to the OES API: proxy, TLS, and whether the key is taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from oesd.config import Config
from oesd.doctor.finding import Finding, Host, fault, ok, warning
from oesd.host.asking import NoAnswer, ask
from oesd.host.secret import ENCRYPTED, NAME, PLAIN
from oesd.upload import ApiKey, ApiKeyError, ApiKeyMissing, Deadlines, OesApi, UploadError, load_key
from oesd.upload.errors import CredentialBlocked

_PROXY_NAMES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_DEADLINES = Deadlines(connect_s=5.0)
_SET = "sudo oesd key set"


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
    except ApiKeyMissing as error:
        yield fault("key", f"{error}: spectra wait", _SET)
        return
    except ApiKeyError as error:
        yield fault("key", str(error), _SET)
        return
    if key is None:
        yield warning("key", "it is root's to read, so it was not tried", "sudo oesd doctor")
        return
    yield from _ask(config, key)


def service_key(config: Config, host: Host) -> ApiKey | None:
    """The key as the service gets it; None when this user may not read it."""
    own = config.upload.key_file
    plain, encrypted = host.at(str(PLAIN)), host.at(str(ENCRYPTED))
    if own is None and encrypted.exists():
        return _decrypted(encrypted)
    file = own or plain
    if os.geteuid() != 0 and not os.access(file, os.R_OK) and os.access(file.parent, os.X_OK) and file.exists():
        return None
    return load_key(file)


def _decrypted(file: Path) -> ApiKey | None:
    if os.geteuid() != 0:
        return None
    try:
        answer = ask(["systemd-creds", "decrypt", f"--name={NAME}", str(file), "-"])
    except NoAnswer as error:
        raise ApiKeyError(f"{file} cannot be decrypted: {error}") from None
    if answer.status:
        raise ApiKeyError(f"{file} cannot be decrypted on this machine: {answer.last_words}")
    return ApiKey(answer.out.strip())


def _ask(config: Config, key: ApiKey) -> Iterator[Finding]:
    endpoint = config.upload.endpoint
    try:
        with OesApi(endpoint, key, deadlines=_DEADLINES, proxy=config.upload.proxy or None) as api:
            offset = api.gateway_time()
            yield ok("API", f"{endpoint} answers; its clock is {offset.offset_ms / 1e3:+.1f} s from ours")
            api.projects()
            yield ok("key", "the API takes it")
    except CredentialBlocked as error:
        yield fault("key", f"the API does not take it: {error}", _SET)
    except UploadError as error:
        yield fault(
            "API", str(error), "see that this machine reaches it: network, [upload] proxy, certificates; spectra wait"
        )

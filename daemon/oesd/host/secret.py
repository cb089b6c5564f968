"""Where the API key rests: a file of root's, mode 0600; encrypted to this machine where systemd can do that.

The daemon never opens it: systemd reads it as root and hands the daemon a copy that lives in memory and that only the
service sees (``LoadCredential=``, systemd.exec(5)). systemd-creds(1) encrypts with the TPM or a key of the host's own.
"""

from __future__ import annotations

from pathlib import Path

from oesd.host.asking import NoAnswer, ask
from oesd.host.doing import write_file
from oesd.host.errors import HostError
from oesd.host.plan import CONFIGURATION, DAEMON, UNITS

NAME = "api-key"
PLAIN = CONFIGURATION / NAME
ENCRYPTED = CONFIGURATION / f"{NAME}.cred"
DROP_IN = UNITS / f"{DAEMON}.d" / "encrypted-key.conf"
# The empty assignments drop what the unit says of the plain file: of a credential set twice the plain one counts.
_DROP_IN = f"[Service]\nLoadCredential=\nSetCredential=\nLoadCredentialEncrypted={NAME}:{ENCRYPTED}\n"
_LIMIT_S = 60.0


def below(root: Path, path: object) -> Path:
    """Return an absolute path of the system below another root directory."""
    return root / str(path).lstrip("/")


def set_key(key: str, root: Path, *, encrypt: bool | None = None) -> Path:
    """Write the key so that the next start of the service has it; returns the file.

    Parameters
    ----------
    key : str
        The key itself, judged by the caller.
    root : Path
        Root directory; encryption is to the running machine, so another root gets the plain file.
    encrypt : bool or None
        None: where systemd can.

    Raises
    ------
    HostError
        One line, without the key.
    """
    sealed = _encrypted(key, must=encrypt is True) if encrypt is not False and root == Path("/") else None
    if sealed is None:
        write_file(below(root, PLAIN), key + "\n", 0o600)
        _forget(below(root, DROP_IN), below(root, ENCRYPTED))
        return below(root, PLAIN)
    write_file(below(root, ENCRYPTED), sealed, 0o600)
    write_file(below(root, DROP_IN), _DROP_IN, 0o644)
    _forget(below(root, PLAIN))
    return below(root, ENCRYPTED)


def remove_key(root: Path) -> list[Path]:
    """Remove the key in every form; returns the files that were there."""
    there = [path for path in (below(root, p) for p in (PLAIN, ENCRYPTED, DROP_IN)) if path.exists()]
    _forget(*there)
    return there


def _encrypted(key: str, *, must: bool) -> str | None:
    """The key as systemd encrypts it to this machine; None when it cannot and need not."""
    try:
        answer = ask(["systemd-creds", "encrypt", f"--name={NAME}", "-", "-"], given=key, limit_s=_LIMIT_S)
    except NoAnswer as error:
        if must:
            raise HostError(f"{error}: --plain keeps the key in a file of root's") from None
        return None
    if answer.status == 0:
        return answer.out
    if must:
        raise HostError(f"systemd-creds could not encrypt: {answer.last_words}; --plain goes without")
    return None


def _forget(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise HostError(f"{path} cannot be removed: {error.strerror}") from None

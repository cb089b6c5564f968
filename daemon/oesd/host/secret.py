"""Where the API key rests: sealed to this machine where systemd can do that, else in a file of root's; mode 0600 both.

The daemon never opens it. ``oesd-key.service`` unseals it into a folder in memory that only root enters, systemd hands
the daemon a copy that only the service sees (``LoadCredential=``, systemd.exec(5)). systemd-creds(1) seals with the TPM
or a key of the host's own.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from oesd.host.asking import NoAnswer, ask
from oesd.host.doing import write_file
from oesd.host.errors import HostError
from oesd.host.plan import CONFIGURATION

NAME = "api-key"
PLAIN = CONFIGURATION / NAME
ENCRYPTED = CONFIGURATION / f"{NAME}.cred"
HANDED = PurePosixPath("/run/oesd-key") / NAME
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
        Root directory; another root gets the plain file, as a key is sealed to the machine that runs.
    encrypt : bool or None
        None: where systemd can.

    Raises
    ------
    HostError
        One line, without the key.
    """
    here = root == Path("/")
    if encrypt and not here:
        raise HostError(f"a key is sealed to the machine that runs, not to {root}: --plain, or oesd key set there")
    sealed = _sealed(key, must=encrypt is True) if encrypt is not False and here else None
    if sealed is None:
        write_file(below(root, PLAIN), key + "\n", 0o600)
        _forget(below(root, ENCRYPTED))
        return below(root, PLAIN)
    write_file(below(root, ENCRYPTED), sealed, 0o600)
    _forget(below(root, PLAIN))
    return below(root, ENCRYPTED)


def unsealed(file: Path) -> str:
    """What a sealed file holds.

    Raises
    ------
    HostError
        One line: it cannot be unsealed on this machine.
    """
    try:
        answer = ask(["systemd-creds", "decrypt", f"--name={NAME}", str(file), "-"], limit_s=_LIMIT_S)
    except NoAnswer as error:
        raise HostError(f"{file} cannot be unsealed: {error}") from None
    if answer.status:
        raise HostError(f"{file} cannot be unsealed on this machine: {answer.last_words}")
    return answer.out


def remove_key(root: Path) -> list[Path]:
    """Remove the key in every form; returns the files that were there."""
    there = [path for path in (below(root, p) for p in (PLAIN, ENCRYPTED)) if path.exists() or path.is_symlink()]
    _forget(*there)
    return there


def _sealed(key: str, *, must: bool) -> str | None:
    """The key as systemd seals it to this machine; None when it cannot and need not."""
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

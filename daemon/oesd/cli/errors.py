"""Errors of the user's world end a command with one line on stderr and a status; a traceback never reaches a user.

::

    0    done, nothing to say against it
    1    done, and something needs a person: findings, losses, refusals
    2    not done: a mistake in the call, no daemon, no such entry; the line says what to do
    70   a defect of oesd (EX_SOFTWARE)
    74   the output could not be written: a full disk, a device that takes nothing (EX_IOERR)
    130  broken off with Ctrl-C
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

USAGE = 2
_DEFECT = 70  # EX_SOFTWARE of sysexits.h: never mistaken for a mistake of the user
_NO_OUTPUT = 74  # EX_IOERR
INTERRUPTED = 130
_OUTPUT_FAILS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # without a file's name: of stdout


@contextmanager
def as_one_line() -> Iterator[None]:
    """Turn errors into one line and an exit status; what is not expected names itself a defect of oesd."""
    output = sys.stdout
    try:
        with _flushed():
            yield
    except SystemExit:
        if sys.stdout is not output:  # click ends so, with 1, when the reader of our output has gone
            sys.exit(0)
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        fail(error.format_message())
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is wrong.
        _write_no_more()
        sys.exit(0)
    except Exception as error:
        # The top of the process. OESD_TRACEBACK is for whoever mends it.
        if os.environ.get("OESD_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_FAILS:
            _write_no_more()
            fail(f"the output cannot be written: {error.strerror or error}", _NO_OUTPUT)
        fail(f"defect in oesd: {type(error).__name__}: {error} (OESD_TRACEBACK=1 shows where)", _DEFECT)


@contextmanager
def _flushed() -> Iterator[None]:
    """Write what is left of the output while an error of it can still be told."""
    try:
        yield
    except SystemExit:
        _flush()
        raise
    _flush()


def _flush() -> None:
    if sys.stdout is not None:  # None: closed by whoever started us
        sys.stdout.flush()


def _write_no_more() -> None:
    """Python must not flush into a broken output at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, status: int = USAGE) -> None:
    """Write one line to stderr and end with a status."""
    with suppress(OSError):  # a stderr that takes nothing leaves the status
        click.echo("oesd: " + printable(" ".join(message.split())), err=True)
    sys.exit(status)


def printable(foreign: str) -> str:
    """Text that may hold foreign parts (file names, headers) without characters that steer a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in foreign)


def expected() -> tuple[type[Exception], ...]:
    """Errors whose text is one line for a person, of all rooms that a service is made of."""
    from oesd.service.expected import EXPECTED

    return EXPECTED

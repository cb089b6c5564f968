"""Errors of the user's world end a command with one line on stderr and status 2; a traceback never reaches a user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

USAGE = 2
_DEFECT = 70  # EX_SOFTWARE of sysexits.h: never mistaken for a mistake of the user
INTERRUPTED = 130


@contextmanager
def as_one_line() -> Iterator[None]:
    """Turn errors into one line and an exit status; what is not expected names itself a defect of oesd."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        fail(error.format_message())
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is wrong. Python must not flush into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        # The top of the process. OESD_TRACEBACK is for whoever mends it.
        if os.environ.get("OESD_TRACEBACK"):
            raise
        fail(f"defect in oesd: {type(error).__name__}: {error} (OESD_TRACEBACK=1 shows where)", _DEFECT)


def fail(message: str, status: int = USAGE) -> None:
    """Write one line to stderr and end with a status."""
    click.echo("oesd: " + printable(" ".join(message.split())), err=True)
    sys.exit(status)


def printable(foreign: str) -> str:
    """Text that may hold foreign parts (file names, headers) without characters that steer a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in foreign)


def expected() -> tuple[type[Exception], ...]:
    """Errors whose text is one line for a person, of all rooms that a service is made of."""
    from oesd.service.checks import expected_errors

    return expected_errors()

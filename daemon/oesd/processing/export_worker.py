"""A process that exports: ids of entries in, one a line, the bytes of the file out.

``python -m oesd.processing.export_worker DIRECTORY FORM one|several`` reads the store beside its daemon, which has to
be punctual and goes before; what a form needs in memory is gone with the process. Errors are one line on stderr.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from oesd.formats.exporting import pieces_of
from oesd.processing.exporting import sheets_of
from oesd.store import StoreError
from oesd.store.onlooker import Onlooker

_NICE = 10
_FAILED = 2


def main(arguments: list[str]) -> int:
    """Export; what a terminal sends to the whole group is the parent's business, which closes the pipe."""
    directory, form, amount = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    data_ids = (line.strip() for line in sys.stdin)
    try:
        with Onlooker(Path(directory)) as store:
            for piece in pieces_of(sheets_of(store, data_ids), form, several=amount == "several"):
                sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(_FAILED)  # nobody reads any more; what is left in the buffer must not be flushed into the pipe
    except (StoreError, ValueError, OSError) as error:
        sys.stderr.write(" ".join(str(error).split())[:1000])
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

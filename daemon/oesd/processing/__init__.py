"""Capture -> raw stored -> engine -> result stored, ready to be forwarded.

``accept`` is called by the acquisition threads and only queues; one thread of its own analyses (:mod:`.turns`). What
that thread does not keep up with, or what a crash interrupted, is found again in the store: an entry without a result
is work to do, and so is a dark or a reference without a verdict. What meets a defect of ours, or twice
let no process come to its end, is set aside by name: one spectrum must not keep the others from being measured.

::

    accept(sample) --> backgrounds: dark and reference from memory --> store --> backlog --> engine --> store
    accept(dark)   --> store --> judging: verdict, statistics, model --> backgrounds --> due, library_state

Reprocessing goes beside it: :mod:`.reprocessing` lists what is out of date and has it done, by processes
(:mod:`.crew`, :mod:`.worker`) or a Dask cluster (:mod:`.cluster`); a job is bytes in and bytes out (:mod:`.jobs`), the
same function everywhere, and only the owner of the store keeps what comes back (:mod:`.keeping`).

What each spectrometer's spectra told of the width of its lines is known for the next one of the same axis
(:mod:`.widths`), kept in the recipe of each result and in the forwarded file; an entry that is done again is done with
what was known then. Files teach nothing: whose header names a spectrometer need not be of it.

A dark serves once it was judged, some 50 ms after its commit. A model is learned in the same thread, when a tenth
more darks are there or one lies outside of what it knows; a sample never waits for it.
"""

from oesd.processing.room import Processing
from oesd.processing.rules import BackgroundRules

__all__ = ["BackgroundRules", "Processing"]

"""Capture -> raw stored -> engine -> result stored, ready to be forwarded.

``accept`` is called by the acquisition threads and only queues; one thread of its own analyses. What that thread does
not keep up with, or what a crash interrupted, is found again in the store: an entry without a result is work to do.
"""

from oesd.processing.rendering import Rendered
from oesd.processing.room import Processing
from oesd.processing.rules import BackgroundRules

__all__ = ["BackgroundRules", "Processing", "Rendered"]

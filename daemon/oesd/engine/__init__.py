"""From raw counts to named elements: pure numpy, no I/O, clock, log or thread."""

from oesd.engine.errors import SpectrumError

ENGINE_VERSION = "2.8"

__all__ = ["ENGINE_VERSION", "SpectrumError"]

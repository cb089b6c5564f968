"""The program's version; apart from the package's face, which leads to the engine."""

__version__ = "0.1.0"

"""oesd keeps spectrometers measuring, names the elements, and loses nothing.

The public Python face is :func:`analyze`, :func:`photometry` and :class:`Client`; they are imported on first use so
that ``oesd --help`` and the daemon's start do not wait for them.
"""

from typing import TYPE_CHECKING, Any

from oesd.version import __version__ as __version__

__all__ = ["Client", "analyze", "photometry"]

if TYPE_CHECKING:
    from oesd.client import Client as Client
    from oesd.engine.analyze import analyze as analyze
    from oesd.engine.photometry import photometry as photometry


def __getattr__(name: str) -> Any:
    if name == "Client":
        from oesd.client import Client

        return Client
    if name == "analyze":
        from oesd.engine.analyze import analyze

        return analyze
    if name == "photometry":
        from oesd.engine.photometry import photometry

        return photometry
    raise AttributeError(f"module 'oesd' has no attribute {name!r}")

"""Spectrum files: reading what spectrometer software writes, and writing our own self-describing forms.

Reading never ends in anything but a :class:`~oesd.model.SpectrumFile` or a :class:`FormatError`.
"""

from oesd.formats.bundle import is_bundle, read_bundle, write_bundle
from oesd.formats.description import LABEL
from oesd.formats.errors import FormatError
from oesd.formats.irradiance import read_calibration
from oesd.formats.photometric import photometric_columns
from oesd.formats.reading import read_spectrum
from oesd.formats.writing import upload_name, write_columns, write_document

__all__ = [
    "LABEL", "FormatError", "is_bundle", "photometric_columns", "read_bundle", "read_calibration", "read_spectrum",
    "upload_name", "write_bundle", "write_columns", "write_document",
]  # fmt: skip

"""The one error of this room."""

from __future__ import annotations

from oesd.formats.escaping import shown


class FormatError(ValueError):
    """A file that cannot be read as a spectrum: one line that names the file, the line and what is wrong.

    Parameters
    ----------
    reason : str
        What is wrong, for a person. Foreign text in it has passed :func:`~oesd.formats.escaping.shown`.
    line : int, optional
        Number of the offending line, from 1.
    filename : str
        Name of the file; foreign text, escaped here.
    """

    def __init__(self, reason: str, *, line: int | None = None, filename: str = "") -> None:
        where = [shown(filename)] if filename else []
        where += [f"line {line}"] if line is not None else []
        super().__init__(": ".join([*where, reason]))
        self.reason = reason
        self.line = line
        self.filename = filename

    def in_file(self, filename: str) -> FormatError:
        """Return the same error with the file's name."""
        return FormatError(self.reason, line=self.line, filename=filename)

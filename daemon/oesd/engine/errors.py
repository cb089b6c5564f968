"""What the engine refuses."""


class SpectrumError(ValueError):
    """The input is no spectrum, or the request names no element; the message is one line for a person."""

"""What every run of the tests needs first."""

from tests.support import transport

__all__ = ["transport"]

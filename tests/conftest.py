"""What every run of the tests needs first."""

from hypothesis import HealthCheck, settings
from tests.support import transport

__all__ = ["transport"]

# No test is timed: a laptop that does something else meanwhile breaks no law.
settings.register_profile("oesd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("oesd")

"""One TOML file to frozen sections; what is wrong is named with file, line and the nearest known key.

Durations are written with their unit (``"100 ms"``) and held as integer microseconds in fields that end in ``_us``.
Nothing is expanded: no environment, no ``~``, no commands.
"""

from oesd.config.file import Config, ConfigError, load_config, parse_config
from oesd.config.keeping import StoreSection
from oesd.config.measuring import (
    BackgroundSection,
    BandSection,
    CaptureSection,
    ExposureSection,
    LightSection,
    PlasmaSection,
    ReferenceSection,
    RunSection,
    SpectrometerSection,
    TriggerSection,
)
from oesd.config.serving import HubSection, IdentifySection, SimulationSection, UploadSection, WebSection
from oesd.config.values import checked_labels, parse_duration_us

__all__ = [
    "BackgroundSection", "BandSection", "CaptureSection", "Config", "ConfigError", "ExposureSection", "HubSection",
    "IdentifySection", "LightSection", "PlasmaSection", "ReferenceSection", "RunSection", "SimulationSection",
    "SpectrometerSection", "StoreSection", "TriggerSection", "UploadSection", "WebSection", "checked_labels",
    "load_config", "parse_config", "parse_duration_us",
]  # fmt: skip

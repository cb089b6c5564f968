"""One TOML file to frozen sections; what is wrong is named with file, line and the nearest known key.

Durations are written with their unit (``"100 ms"``) and held as integer microseconds in fields that end in ``_us``.
Nothing is expanded: no environment, no ``~``, no commands.
"""

from oesd.config.file import Config, ConfigError, at_line, load_config, parse_config
from oesd.config.keeping import StoreSection
from oesd.config.listening import WebSection
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
from oesd.config.serving import HubSection, IdentifySection, SimulationSection, UploadSection
from oesd.config.values import checked_labels, parse_duration_us
from oesd.config.watching import ActionSection, AlarmSection, EndpointSection, GoldenSection, TraceSection

__all__ = [
    "ActionSection", "AlarmSection", "BackgroundSection", "BandSection", "CaptureSection", "Config", "ConfigError",
    "EndpointSection", "ExposureSection", "GoldenSection", "HubSection", "IdentifySection", "LightSection",
    "PlasmaSection", "ReferenceSection", "RunSection", "SimulationSection", "SpectrometerSection", "StoreSection",
    "TraceSection", "TriggerSection", "UploadSection", "WebSection", "at_line", "checked_labels", "load_config",
    "parse_config", "parse_duration_us",
]  # fmt: skip

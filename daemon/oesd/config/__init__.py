"""One TOML file to frozen sections; what is wrong is named with file, line and the nearest known key.

Durations are written with their unit (``"100 ms"``) and held as integer microseconds in fields that end in ``_us``.
Nothing is expanded: no environment, no ``~``, no commands.
"""

from oesd.config.file import Config, ConfigError, at_line, config_of, load_config, parse_config
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
from oesd.config.mistakes import Mistake, read
from oesd.config.serving import HubSection, IdentifySection, SimulationSection, UploadSection
from oesd.config.values import Section, checked_labels, keys_of, parse_duration_us, section_in
from oesd.config.watching import ActionSection, AlarmSection, EndpointSection, GoldenSection, TraceSection

__all__ = [
    "ActionSection", "AlarmSection", "BackgroundSection", "BandSection", "CaptureSection", "Config", "ConfigError",
    "EndpointSection", "ExposureSection", "GoldenSection", "HubSection", "IdentifySection", "LightSection", "Mistake",
    "PlasmaSection", "ReferenceSection", "RunSection", "Section", "SimulationSection", "SpectrometerSection",
    "StoreSection", "TraceSection", "TriggerSection", "UploadSection", "WebSection", "at_line", "checked_labels",
    "config_of", "keys_of", "load_config", "parse_config", "parse_duration_us", "read", "section_in",
]  # fmt: skip

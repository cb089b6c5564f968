"""The composition root: builds the rooms, wires them with callables, starts, supervises and stops them."""

from oesd.service.checks import check, expected_errors, free_port, plugged_spectrometers
from oesd.service.daemon import Service
from oesd.service.hub import HubService, serve_hub
from oesd.service.logs import set_up_logging
from oesd.service.memory import stay_small
from oesd.service.summary import Summary

__all__ = [
    "HubService",
    "Service",
    "Summary",
    "check",
    "expected_errors",
    "free_port",
    "plugged_spectrometers",
    "serve_hub",
    "set_up_logging",
    "stay_small",
]

"""Durations on the command line."""

from __future__ import annotations

import click


class DurationType(click.ParamType[float]):
    """A duration with its unit, as in the configuration; seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds of ``20s``, ``"1.5 h"``; ``0`` is not a duration to run for."""
        from oesd.config import parse_duration_us

        try:
            seconds = parse_duration_us(value) / 1e6
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail("must be longer than nothing", param, ctx)
        return seconds

"""A click group whose commands are imported when they are called, not when they are listed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Group of commands given as ``module:attribute``.

    Parameters
    ----------
    commands_at : mapping
        Command name to where its command stands.
    summaries : mapping
        Command name to the line that the list of commands shows.
    """

    def __init__(self, *, commands_at: Mapping[str, str], summaries: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._commands_at = commands_at
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they are given."""
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        where = self._commands_at.get(cmd_name)
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the summaries without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._summaries[name]) for name in self._commands_at])

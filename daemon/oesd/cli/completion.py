"""``oesd completion``: the script with which a shell completes our commands and options."""

from __future__ import annotations

import click

SHELLS = {
    "bash": '~/.bashrc: eval "$(oesd completion bash)"',
    "zsh": '~/.zshrc: eval "$(oesd completion zsh)"',
    "fish": "oesd completion fish > ~/.config/fish/completions/oesd.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    bash and zsh: put eval "$(oesd completion bash)" into ~/.bashrc, or zsh into ~/.zshrc. fish: oesd completion fish >
    ~/.config/fish/completions/oesd.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "oesd", "_OESD_COMPLETE").source())

"""`mlspec completion`: prints the script by which a shell completes commands, options, forecasts and fields."""

from __future__ import annotations

import click

_VARIABLE = "_MLSPEC_COMPLETE"


@click.command(short_help="Print the script by which a shell completes mlspec's words.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script by which a shell completes commands, options, names of forecasts and fields of specs.

    For bash: `mlspec completion bash > ~/.local/share/bash-completion/completions/mlspec`. For zsh, put it into a file `_mlspec` on
    your fpath. For fish: `mlspec completion fish > ~/.config/fish/completions/mlspec.fish`.
    """
    from click.shell_completion import get_completion_class

    from mlspec.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(kind(cli, {}, "mlspec", _VARIABLE).source())

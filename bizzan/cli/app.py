"""The program `bizzan`: one command per process and per thing a person does.

Commands import what they run when they run, so `bizzan status` does not wait for a compiler to load.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bizzan.cli import services, stack, tools
from bizzan.cli.console import fail
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import CONFIG_VARIABLE, SettingsError

app = typer.Typer(
    name="bizzan",
    help="A spot exchange whose operator cannot touch the users' money.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables would print secrets
    rich_markup_mode="rich",
)
stack.register(app)
services.register(app)
tools.register(app)


@app.callback()
def options(
    config: Annotated[Path | None, typer.Option(help="Settings file; by default bizzan.toml, if there is one.")] = None,
) -> None:
    """Take the options that all commands share."""
    if config is not None:
        # The environment carries it to the processes that `up` starts.
        os.environ[CONFIG_VARIABLE] = str(config.absolute())


def main() -> None:
    """Run one command; what a person can mend is told in one sentence, without a traceback."""
    try:
        app()
    except (SettingsError, SupervisorError) as error:
        fail(str(error))
        sys.exit(1)

"""The program `bizzan`: one command per process and per thing a person does.

Commands import what they run when they run, so `bizzan status` does not wait for a compiler to load.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bizzan.cli import account, approvals, audit, fees, journal, market, services, stack, tools
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
app.add_typer(market.commands, name="market")
app.add_typer(account.commands, name="account")
app.add_typer(fees.commands, name="fees")
app.add_typer(approvals.commands, name="approvals")
app.add_typer(audit.commands, name="audit")
app.add_typer(journal.commands, name="journal")


@app.callback()
def options(
    config: Annotated[Path | None, typer.Option(help="Settings file; by default bizzan.toml, if there is one.")] = None,
) -> None:
    """Take the options that all commands share."""
    if config is not None:
        if not config.is_file():
            raise SettingsError(f"--config names a file that does not exist: {config}")
        # The environment carries it to the processes that `up` starts.
        os.environ[CONFIG_VARIABLE] = str(config.absolute())


def main() -> None:
    """Run one command; what a person can mend is told in one line, without a traceback."""
    try:
        code = app(prog_name="bizzan", standalone_mode=False)
    except typer.TyperException as error:
        code = error.exit_code
        if message := error.format_message().rstrip("."):  # a call without a command has printed the help and says none
            fail(message + _see_help(error))
    except typer.Abort:
        code = _failed("not confirmed: nothing was done")
    except (SettingsError, SupervisorError) as error:
        code = _failed(str(error))
    except OSError as error:
        code = _failed(f"the system refuses: {error}")
    sys.exit(code)


def _failed(message: str) -> int:
    fail(message)
    return 1


def _see_help(error: typer.TyperException) -> str:
    """Where to read how the command is called."""
    context: typer.Context | None = getattr(error, "ctx", None)
    return "" if context is None else f" (see '{context.command_path} --help')"

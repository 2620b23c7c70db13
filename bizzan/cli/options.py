"""Options that several commands of the operator have: why one is given, and numbers that fit the command."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from exchange.domain.amount import MAX_AMOUNT

MAX_SECONDS = 90 * 86_400
"""How far ahead anything may be set."""

Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the operators' log for ever.")]


def number_option(text: str, most: int = MAX_AMOUNT, least: int = 0) -> Any:
    """An option for a number from `least` to `most`."""
    return typer.Option(callback=within(most, least), help=text)


def within(most: int, least: int = 0) -> Callable[[int | None], int | None]:
    """Refuses a number that is not `least` to `most`, by the option's name and both bounds."""

    def check(value: int | None) -> int | None:
        if value is not None and not least <= value <= most:
            raise typer.BadParameter(f"it must be {least} to {most}, not {value}")
        return value

    return check

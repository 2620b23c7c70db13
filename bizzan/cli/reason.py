"""The option by which a command of the operator says why it is given."""

from typing import Annotated

import typer

Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the operators' log for ever.")]

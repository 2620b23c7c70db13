"""What the person at the terminal sees: progress of the stack, its summary, errors."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exchange.settings import Settings

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(message: str) -> None:
    """Print an error."""
    errors.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)


class StackProgress:
    """Prints each step of the stack's life; on a terminal, with a spinner while a step lasts."""

    def __init__(self) -> None:
        self._spinner = console.status("")
        self._running: list[str] = []

    def starting(self, name: str) -> None:
        """A part begins to start."""
        self._running.append(name)
        self._show()

    def ready(self, name: str, seconds: float) -> None:
        """A part is ready."""
        self._running.remove(name)
        console.print(f"  [green]✓[/] {name:<10} [dim]{seconds:4.1f} s[/]")
        self._show()

    def restarting(self, name: str, pause_seconds: float, reason: str) -> None:
        """A part ended by itself and will be started again."""
        console.print(f"  [yellow]![/] {name} starts again in {pause_seconds:g} s: {escape(reason)}")

    def stopping(self, name: str) -> None:
        """A part is asked to end."""
        console.print(f"  [dim]stopping {name}[/]")

    def close(self) -> None:
        """Remove the spinner."""
        self._spinner.stop()

    def _show(self) -> None:
        if self._running and console.is_terminal:
            self._spinner.update(f"starting {', '.join(self._running)}")
            self._spinner.start()
        else:
            self._spinner.stop()


def print_summary(settings: Settings, custody: str | None, demo: bool) -> None:
    """Where everything is, once the stack runs."""
    table = Table.grid(padding=(0, 2))
    api = f"http://{settings.api.host}:{settings.api.port}"
    rows = [
        ("exchange", f"{api}/"),
        ("API", f"{api}/docs"),
        ("stream", f"ws://{settings.api.host}:{settings.api.port}/v1/stream"),
        ("chain", f"{settings.rpc_url}  (chain id {settings.chain.chain_id})"),
        ("custody", custody or "not deployed"),
        ("state", str(settings.state_dir)),
        ("logs", f"{settings.log_dir}/<service>.log"),
    ]
    for name, value in rows:
        table.add_row(f"[dim]{name}[/]", value)
    console.print()
    console.print(table, soft_wrap=True)
    traffic = "Demo wallets trade. " if demo else ""
    console.print(f"\n{traffic}[bold]bizzan status[/] shows what happens.")

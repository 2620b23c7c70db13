"""What every page of the app must be: free of errors, of requests to others, and of barriers."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Request

from bizzan.contracts import ROOT
from tests.utils.program import Program

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")


def watch(page: Page, program: Program) -> list[str]:
    """What goes wrong on the page from now on: errors, breaches of its policy, requests to anybody else."""
    complaints: list[str] = []
    ours = (program.api_url, program.rpc_url, program.api_url.replace("http", "ws"), "data:", "blob:")

    def on_request(request: Request) -> None:
        if not request.url.startswith(ours):
            complaints.append(f"a request to {request.url}")

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("request", on_request)
    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def barriers(page: Page) -> list[str]:
    """Serious and critical findings of axe, each with the elements that it means."""
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("async () => await axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {violation['help']}: {[node['html'][:160] for node in violation['nodes'][:3]]}"
        for violation in found["violations"]
        if violation["impact"] in SERIOUS
    ]


class Clicks:
    """Counts the clicks of a person."""

    def __init__(self) -> None:
        self.count = 0

    def on(self, page: Page, name: str, role: Any = "button") -> None:
        """Click what has this name."""
        page.get_by_role(role, name=name, exact=True).click()
        self.count += 1

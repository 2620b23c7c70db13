"""What every page of the app must be: free of errors, of requests to others, and of barriers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from playwright.sync_api import ConsoleMessage, Page, Request, expect

from bizzan.contracts import ROOT
from tests.utils.program import Program

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")
COLOURS = ("color-contrast", "link-in-text-block")
"""The rules of axe that look at colours: all others say the same in both themes."""
Theme = Literal["dark", "light"]


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


def barriers(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Serious and critical findings of axe, each with the elements that it means; of these rules, or of all."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found: dict[str, Any] = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{violation['id']}: {violation['help']}: {[_told(node) for node in violation['nodes'][:3]]}"
        for violation in found["violations"]
        if violation["impact"] in SERIOUS
    ]


def _told(node: dict[str, Any]) -> str:
    return f"{node['html'][:160]} {node['failureSummary']}"


def barriers_of_both_themes(page: Page) -> list[str]:
    """What `barriers` finds in the theme that is shown, and what of its findings hangs on colours in the other one."""
    shown = page.locator("html").get_attribute("data-theme")
    other: Theme = "light" if shown == "dark" else "dark"
    found = barriers(page)
    page.emulate_media(reduced_motion="reduce")  # no colour on its way
    page.get_by_test_id("theme").evaluate("button => button.click()")  # a dialog may stand before it
    expect(page.locator(f"html[data-theme={other}]")).to_be_attached()
    return [*found, *barriers(page, COLOURS)]


class Clicks:
    """Counts the clicks of a person."""

    def __init__(self) -> None:
        self.count = 0

    def on(self, page: Page, name: str, role: Any = "button") -> None:
        """Click what has this name."""
        page.get_by_role(role, name=name, exact=True).click()
        self.count += 1

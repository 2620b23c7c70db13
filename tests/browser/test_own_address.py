"""The page works out the deposit address by itself: an API that names another is found out, as is a false factory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.deposit_address import deposit_address
from tests.browser.chain import ask, exchange_of
from tests.browser.conftest import PATIENCE_MS
from tests.browser.page import barriers_of_both_themes
from tests.browser.players import give
from tests.browser.trader import connect, go_to, sign_in
from tests.browser.wallet import BrowserWallet
from tests.utils.false_factory import false_factory_code
from tests.utils.lying_api import LyingApi, lying_api
from tests.utils.program import Program
from tests.utils.waiting import wait_for

ASKED = "/v1/account/deposit-address"
THEIRS = "0x" + "e1" * 20


class Visit:
    """A first visit of somebody with a wallet, to an exchange whose API may lie."""

    def __init__(self, page: Page, wallet: BrowserWallet, liar: LyingApi, program: Program) -> None:
        self.page, self.wallet, self.liar, self.program = page, wallet, liar, program
        self.account = address_bytes(wallet.account.address)
        self.factory = address_bytes(exchange_of(program)["deposit_addresses"])

    @property
    def address(self) -> str:
        """The account's own, by the real factory."""
        return checksum(deposit_address(self.factory, self.account))

    def arrive(self) -> None:
        """Connect, sign in and open the funds."""
        connect(self.page)
        sign_in(self.page)
        go_to(self.page, "Funds")

    def ask(self) -> None:
        """Ask for the address."""
        self.page.get_by_role("button", name="Show my deposit address").click()

    def expect_none(self, said: str) -> None:
        """No address is shown, nor a picture of one, and the page says why."""
        expect(self.page.get_by_role("alert").get_by_text(said)).to_be_visible()
        expect(self.page.get_by_role("img", name=re.compile("QR code"))).to_have_count(0)
        actions = self.page.get_by_role("region", name="Move money")
        for address in (self.address, THEIRS):
            expect(actions.get_by_text(address)).to_have_count(0)

    def expect_own(self) -> None:
        """The account's own address stands there, with a picture, and whose word it is."""
        picture = self.page.get_by_role("img", name=f"QR code of your deposit address {self.address}")
        expect(picture).to_be_visible()
        expect(self.page.get_by_text(self.address, exact=True)).to_be_visible()
        expect(self.page.get_by_text("Asked: the node of your wallet")).to_be_visible()


@pytest.fixture
def visit(browser: Browser, program: Program) -> Iterator[Visit]:
    """A wallet with coins, in front of an API that says the truth until it is told otherwise."""
    with lying_api(program.api_url) as liar:
        context = browser.new_context(base_url=liar.url, color_scheme="dark")
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        wallet = BrowserWallet(page, program.rpc_url)
        give(program, wallet.account.address)
        yield Visit(page, wallet, liar, program)
        context.close()


@pytest.mark.parametrize("field", ["deposit_address", "factory", "account"])
def test_an_address_that_the_api_made_up_is_not_shown(visit: Visit, field: str) -> None:
    visit.liar.lies[ASKED] = lambda said: said | {field: THEIRS}
    visit.arrive()
    visit.ask()
    visit.expect_none("None is shown: what is sent to an address that it names may be lost")
    assert barriers_of_both_themes(visit.page) == []
    visit.liar.lies.clear()
    visit.ask()
    visit.expect_own()
    assert barriers_of_both_themes(visit.page) == []


def test_a_false_factory_is_found_out_through_the_wallet(visit: Visit) -> None:
    """The API's answers agree, and the factory has the real one's code; what its addresses run is another."""
    custody = exchange_of(visit.program)["contract"]
    made = visit.wallet.create(false_factory_code(custody))
    wait_for(lambda: ask(visit.program, "eth_getCode", checksum(made), "latest") != "0x", "the false factory")
    theirs = checksum(deposit_address(made, visit.account))
    visit.liar.lies["/v1/exchange"] = lambda said: said | {"deposit_addresses": checksum(made)}
    visit.liar.lies[ASKED] = lambda said: said | {"factory": checksum(made), "deposit_address": theirs}
    visit.arrive()
    visit.ask()
    visit.expect_none(f"The code at the factory {checksum(made)}, or behind it, is not the known one")
    expect(visit.page.get_by_text(theirs)).to_have_count(0)
    visit.page.get_by_role("link", name="You can leave without us at any time.").click()
    expect(visit.page.get_by_text("send nothing to deposit addresses of it")).to_be_visible()
    expect(visit.page.get_by_text(theirs)).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Ask to leave")).to_be_enabled()


@pytest.mark.parametrize(
    ("tag", "button", "said"),
    [("zh-CN", "显示我的充值地址", "不显示任何地址"), ("ar", "أظهر عنوان إيداعي", "لا يُعرض أي عنوان")],
    ids=["zh-CN", "ar"],
)
def test_the_lie_is_told_in_every_language(visit: Visit, tag: str, button: str, said: str) -> None:
    visit.liar.lies[ASKED] = lambda answer: answer | {"deposit_address": THEIRS}
    visit.arrive()
    visit.page.get_by_label("Language").select_option(tag)
    visit.page.get_by_role("button", name=button).click()
    expect(visit.page.get_by_role("alert").get_by_text(said)).to_be_visible()
    for address in (visit.address, THEIRS):
        expect(visit.page.get_by_role("main").get_by_text(address)).to_have_count(0)

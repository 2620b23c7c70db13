"""A wallet as a browser has one: announced by EIP-6963, asked by EIP-1193, with a key of the test's behind it."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from playwright.sync_api import Page

from exchange.domain.deployment import address_bytes
from exchange.domain.deposit_address import created_address
from exchange.domain.eip712 import keccak

REJECTED = 4001
ANNOUNCE = """
(() => {
  const listeners = {};
  const provider = {
    request: async ({ method, params }) => {
      if (method === "personal_sign") await window.testWalletOpens;
      const answer = JSON.parse(await window.testWallet(method, JSON.stringify(params ?? [])));
      if (answer.error) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
      return answer.result;
    },
    on: (event, listener) => (listeners[event] ??= []).push(listener),
    removeListener: () => undefined,
  };
  window.testWalletTells = (event, value) => (listeners[event] ?? []).forEach((listener) => listener(value));
  const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>";
  const info = { uuid: "00000000-0000-4000-8000-000000000000", name: "Test Wallet", icon, rdns: "test.wallet" };
  const announce = () =>
    window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


class BrowserWallet:
    """Install it before the page is opened. `asked` are the methods that would have opened its window.

    `sent` are its transactions, signed, and `texts` the texts.
    """

    def __init__(self, page: Page, rpc_url: str, chain_id: int = 31_337, key: bytes | None = None) -> None:
        self.page = page
        self._rpc_url = rpc_url
        self._ids = itertools.count(1)
        self.account = Account.from_key(key) if key else Account.create()
        self.chain_id = chain_id
        self.rejects = False
        self.asked: list[str] = []
        self.sent: list[str] = []
        self.texts: list[str] = []
        self._before = 0
        page.expose_function("testWallet", self._answer)
        page.add_init_script(ANNOUNCE)

    def go_to(self, chain_id: int) -> None:
        """The user chooses another chain in the wallet."""
        self.chain_id = chain_id
        self.page.evaluate("(id) => window.testWalletTells('chainChanged', id)", hex(chain_id))

    def hold(self) -> None:
        """Leave texts unsigned, with the window of the wallet open, until `go_on`."""
        self.page.evaluate("() => { window.testWalletOpens = new Promise((go) => { window.testWalletGoes = go; }); }")

    def go_on(self) -> None:
        """Sign what waits."""
        self.page.evaluate("() => window.testWalletGoes()")

    def _answer(self, method: str, text: str) -> str:
        params: list[Any] = json.loads(text)
        known: dict[str, Callable[[], Any]] = {
            "eth_requestAccounts": lambda: [self.account.address],
            "eth_accounts": lambda: [self.account.address],
            "eth_chainId": lambda: hex(self.chain_id),
            "personal_sign": lambda: self._sign_text(params[0]),
            "eth_signTypedData_v4": lambda: self._sign(encode_typed_data(full_message=json.loads(params[1]))),
            "eth_sendTransaction": lambda: self._send(params[0]),
            "wallet_switchEthereumChain": lambda: self._switch(int(params[0]["chainId"], 16)),
        }
        if method not in known:
            return json.dumps(self._ask(method, params))
        if not method.startswith("eth_a") and method != "eth_chainId":
            self.asked.append(method)
            if self.rejects:
                return json.dumps({"error": {"code": REJECTED, "message": "User rejected the request."}})
        return json.dumps({"result": known[method]()})

    def _sign(self, message: Any) -> str:
        return "0x" + bytes(self.account.sign_message(message).signature).hex()

    def _sign_text(self, text: str) -> str:
        self.texts.append(bytes.fromhex(text.removeprefix("0x")).decode())
        return self._sign(encode_defunct(hexstr=text))

    def _switch(self, chain_id: int) -> None:
        self.chain_id = chain_id

    def _send(self, call: dict[str, str]) -> str:
        """Fill in what wallets fill in, sign it and send it."""
        address = self.account.address
        nonce = int(self._ask("eth_getTransactionCount", [address, "pending"])["result"], 16)
        if not self.sent:
            self._before = nonce
        transaction = {
            "chainId": self.chain_id,
            "nonce": nonce,
            "data": call["data"],
            "value": int(call.get("value", "0x0"), 16),
            "gas": 600_000 if "to" in call else 3_000_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
        } | ({"to": call["to"]} if "to" in call else {})
        raw = bytes(self.account.sign_transaction(transaction).raw_transaction)
        self.sent.append("0x" + raw.hex())
        sent: str = self._ask("eth_sendRawTransaction", [self.sent[-1]])["result"]
        return sent

    def call(self, to: str, signature: str, *words: int) -> None:
        """Call a contract as the account, outside of the page, with arguments of a word each."""
        selector = keccak(signature.encode())[:4].hex()
        self._send({"to": to, "data": "0x" + selector + "".join(f"{word:064x}" for word in words)})

    def create(self, code: bytes) -> bytes:
        """Create a contract as the account, outside of the page, and return its address."""
        nonce = int(self._ask("eth_getTransactionCount", [self.account.address, "pending"])["result"], 16)
        self._send({"data": "0x" + code.hex()})
        return created_address(address_bytes(self.account.address), nonce)

    def send_again(self) -> None:
        """Send what was sent before and is on chain no more, in its order."""
        known = int(self._ask("eth_getTransactionCount", [self.account.address, "latest"])["result"], 16)
        for raw in self.sent[known - self._before :]:
            self._ask("eth_sendRawTransaction", [raw])

    def _ask(self, method: str, params: list[Any]) -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}).encode()
        request = urllib.request.Request(self._rpc_url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

"""Print docs/typed-data.md: every message that users sign, as a wallet shows it, and how to read each field.

    python scripts/print_typed_data.py > docs/typed-data.md

The examples are made by the code that makes real messages. The output is committed; `check_typed_data.py` compares it,
and fails for a type or field that nobody explained here.
"""

import sys
from collections.abc import Mapping

from bizzan.contracts import ROOT
from exchange.domain.bulk import Tree
from exchange.domain.eip712 import TYPES, Domain, Value
from exchange.domain.order import Order, Side, TimeInForce

COMMITTED = ROOT / "docs" / "typed-data.md"
DOMAIN = Domain("Bizzan", 31_337, bytes.fromhex("dc64a140aa3e981100a9beca4e685f962f0cf6c9"))
ACCOUNT = bytes.fromhex("14dc79964da2c08b23698b3d3cc7ca32193d9955")
DELEGATE = bytes.fromhex("23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f")
USDC = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
LATER = 1_900_000_000

ORDER = Order(ACCOUNT, 1, int(Side.buy), 950_000, 250, 17, LATER, 0, 10, int(TimeInForce.gtd))
EXAMPLES: Mapping[str, Mapping[str, Value]] = {
    "Order": {name: getattr(ORDER, name) for name, _ in TYPES["Order"]},
    "Cancel": {"account": ACCOUNT, "nonce": 17},
    "CancelAll": {"account": ACCOUNT, "min_nonce": 18},
    "MassCancel": {"account": ACCOUNT, "market": 1, "side": 2, "nonce": 1_790_000_000_000},
    "Countdown": {"account": ACCOUNT, "seconds": 30, "nonce": 1_790_000_000_000},
    "TradingStop": {"account": ACCOUNT, "stopped": 1, "nonce": 1_790_000_000_000},
    "EntrySession": {"account": ACCOUNT, "challenge": bytes.fromhex("c4" * 32), "key": bytes.fromhex("6b" * 32)},
    "Withdrawal": {
        "account": ACCOUNT,
        "token": USDC,
        "amount": 250_000_000,
        "recipient": ACCOUNT,
        "max_fee": 1_000_000,
        "nonce": 3,
        "deadline": LATER,
    },
    "FundingTransfer": {
        "account": ACCOUNT,
        "token": USDC,
        "amount": 250_000_000,
        "max_fee": 1_000_000,
        "nonce": 4,
        "deadline": LATER,
    },
    "Delegation": {"account": ACCOUNT, "delegate": DELEGATE, "markets": 0b110, "expiry": LATER, "nonce": 1},
    "Revocation": {"account": ACCOUNT, "delegate": DELEGATE, "nonce": 2},
    "WithdrawalApproval": {
        "account": ACCOUNT,
        "token": USDC,
        "amount": 600_000_000_000,
        "recipient": ACCOUNT,
        "max_fee": 1_000_000,
        "nonce": 5,
        "deadline": LATER,
    },
    "AccountFreeze": {"account": ACCOUNT, "nonce": 0},
    "Permit": {"owner": ACCOUNT, "spender": DOMAIN.contract, "value": 250_000_000, "nonce": 0, "deadline": LATER},
    "Approval": {"withdrawal": bytes.fromhex("5d" * 32), "fee": 1_000_000},
    "JournalCommit": {
        "first_seq": 1_201,
        "last_seq": 1_264,
        "head": bytes.fromhex("a1" * 32),
        "root": bytes.fromhex("b2" * 32),
    },
}
# What a message lets happen, at most.
PURPOSES = {
    "Order": "Trade for the account, up to the quantity, at this price or better, until the expiry. Never moves money\n"
    "out. This one buys at most 0.025 BTC for at most 9,500 USDC each, until March 2030: a lot is 0.0001 BTC.",
    "Cancel": "End one order. Can only stop trading.",
    "CancelAll": "End every order with a lower nonce. Can only stop trading.",
    "MassCancel": "End the open orders of a market and side, at once. Can only stop trading.",
    "Countdown": "End all open orders so many seconds later, unless another of these comes before.",
    "TradingStop": "Refuse every order of the account and end the open ones, or take orders again.",
    "EntrySession": "Open a session of order entry on one connection. It places nothing: every order in it is signed.",
    "Withdrawal": "Pay money out of trading to the recipient, once. The message to read most carefully.",
    "FundingTransfer": "Move money from trading to the account's own funding, once; only the fee leaves the account.",
    "Delegation": "Let another key trade for the account. That key can never withdraw and never add keys.",
    "Revocation": "Take a key's right back, for ever.",
    "WithdrawalApproval": "For approvers, not for users: let this withdrawal go above its token's limit. Read every\n"
    "field: it is what the account signed. The recipient is zero for a transfer to the account's own funding.",
    "AccountFreeze": "Stop your own account: worth keeping signed for an emergency, as anybody can post it. It moves\n"
    "nothing, and ends by your own call, after the delay.",
    "Permit": "Under the token's own domain, not the exchange's: let the exchange take that much of the token, once.",
    "Approval": "For the co-signer, not for users: approve one signed withdrawal with exactly this fee.",
    "JournalCommit": "For the receipt key, not for users, and under the domain of the operator's bond: these records\n"
    "stand in the journal, in this order, for ever. Two that contradict each other cost the bond\n"
    "([fairness.md](fairness.md)).",
}
MEANINGS = {
    "account": "whose money it is: your own address",
    "market": "the market's number (`/v1/exchange`, `bizzan status`)",
    "side": "0 buys, 1 sells, 2 buys for an amount of quote",
    "price": "quote ledger units for one lot: the worst price you accept",
    "quantity": "lots (for side 2: quote ledger units), at most",
    "nonce": "a number of your own: this message serves once",
    "Order.nonce": "a number of your own; all orders that share it share one fill count",
    "Cancel.nonce": "the nonce of the orders that end",
    "MassCancel.market": "the market's number; 0: all",
    "MassCancel.side": "0 buys, 1 sells, 2 both",
    "MassCancel.nonce": "the time in milliseconds",
    "Countdown.nonce": "the time in milliseconds",
    "TradingStop.nonce": "the time in milliseconds",
    "seconds": "how long the orders still work; 0: as long as they say",
    "stopped": "1 stops, 0 lets go on",
    "Delegation.nonce": "a number of your own; messages about keys are posted in rising order only",
    "Revocation.nonce": "a number of your own; messages about keys are posted in rising order only",
    "AccountFreeze.nonce": "how often the account was frozen before",
    "Permit.nonce": "the token's count of your permits",
    "owner": "whose tokens they are: your own address",
    "spender": "who may take them: the custody contract",
    "value": "the token's smallest units",
    "min_nonce": "every order with a nonce below it ends",
    "expiry": "unix seconds; not valid for longer",
    "trigger_price": "of a stop order, like `price`; 0: none",
    "max_fee_bps": "the fee is at most this many hundredths of a percent of the quote amount",
    "terms": "packed choices: time in force (bits 0-1: till cancelled, till expiry, now or never, all or none),"
    " post-only (bit 2), self-trade (3-4), trigger (5-6), and rarer ones; read by the engine and the audit, not by the"
    " contract",
    "token": "the token's address; the zero address is ETH",
    "amount": "the token's smallest units, fee included: 250000000 of a token with 6 decimals is 250",
    "recipient": "who gets it: look at every digit",
    "max_fee": "the token's smallest units: the fee is at most this",
    "deadline": "unix seconds; worthless afterwards",
    "delegate": "the key that may trade",
    "markets": "bit *n* allows market *n*: 6 is markets 1 and 2",
    "challenge": "what the exchange has just sent on this connection",
    "key": "the hash of the public key that the program made for this session",
    "withdrawal": "the hash of the message that the account signed",
    "fee": "the token's smallest units",
    "first_seq": "the first record of the range, by its place in the journal",
    "last_seq": "the last record of the range",
    "head": "the journal's head after the last record",
    "root": "the root of the tree over the range's records",
}
HEAD = """# What users sign

Every message is EIP-712 typed data: the wallet shows its fields by name, and the contract checks the same fields. This
page shows each as a wallet does, written by `scripts/print_typed_data.py` with the code that makes real messages; the
tests sign each of them with `cast`, which reads typed data like any wallet, and recover the signer from the hash that
the contract checks.

Above every message a wallet shows the domain. **Do not sign when it differs**: the name is the brand, the chain is the
chain you mean, the contract is the custody contract (`docs/auditing.md` says how to verify that one).

"""
FOOT = """
## What no message can do

No message gives a right without an end or a cap: an order executes in the 30 days before its expiry at most (24 hours
when a delegated key signed it) and never later than a short grace after it, a withdrawal has a deadline and serves
once, a fee has a cap in the message itself. There is no message that gives somebody else your withdrawals, raises a
limit that you signed, or changes the recipient of a withdrawal. Signing in to the API is plain text by EIP-4361 and
moves nothing.
"""


def shown(value: object, indent: str = "  ") -> list[str]:
    """The lines of a value in a wallet's tree; a list has one branch an item."""
    if isinstance(value, Mapping):
        width = max(len(name) for name in value) + 2
        lines = []
        for name, item in value.items():
            nested = isinstance(item, Mapping | list)
            lines += [f"{indent}{name}:", *shown(item, indent + "  ")] if nested else [f"{indent}{name:<{width}}{item}"]
        return lines
    if isinstance(value, list):
        return [line for i, item in enumerate(value) for line in (f"{indent}{i}:", *shown(item, indent + "  "))]
    return [f"{indent}{value}"]


def example(message: Mapping[str, object]) -> str:
    """A message as a wallet shows it."""
    lines = [str(message["primaryType"]), *shown(message["message"])]
    return "```\n" + "\n".join(lines) + "\n```\n"


def section(name: str) -> str:
    """One type: what it allows, how it looks, what its fields mean. KeyError for what is not explained above."""
    meanings = ((field, MEANINGS.get(f"{name}.{field}") or MEANINGS[field]) for field, _ in TYPES[name])
    rows = "".join(f"| `{field}` | {meaning} |\n" for field, meaning in meanings)
    table = f"| field | how to read it |\n| --- | --- |\n{rows}"
    return f"\n## {name}\n\n{PURPOSES[name]}\n\n{example(DOMAIN.typed_data(name, EXAMPLES[name]))}\n{table}"


def bulk_section() -> str:
    """Many orders under one signature."""
    other = Order(ACCOUNT, 1, int(Side.sell), 970_000, 250, 18, LATER, 0, 10, int(TimeInForce.gtd))
    shape = example(Tree([ORDER, other]).typed_data(DOMAIN))
    return (
        "\n## BulkOrder\n\nTwo to 1,024 orders under one signature, each shown whole; the fields are an order's. "
        f"Places that no order takes\nare all zero.\n\n{shape}"
    )


def typed_data() -> str:
    """The whole document."""
    domain = {
        "name": DOMAIN.name,
        "version": "1",
        "chainId": DOMAIN.chain_id,
        "verifyingContract": "0x" + DOMAIN.contract.hex(),
    }
    head = "```\n" + "\n".join(shown(domain)) + "\n```\n"
    return HEAD + head + "".join(map(section, TYPES)) + bulk_section() + FOOT


if __name__ == "__main__":
    sys.stdout.write(typed_data())

"""Faults that somebody could make in the contracts, each with the test that must notice.

A mutant replaces one text of one file. The text must stand there exactly once: when the contract changes, its mutants
change with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bizzan.contracts import ROOT, SOURCES

FOLDER = ROOT / "build" / "mutants"
UNIT = "tests/unit/contracts"
COMPILE = """
from tests.utils import mutated
from bizzan.contracts import artifact
for name in ("Custody", "CustodyExtension"):
    artifact(name)
"""
SUMMARY = re.compile(r"(?:(\d+) failed)?(?:, )?(?:(\d+) passed)?.* in [\d.]+s")


@dataclass(frozen=True)
class Mutant:
    """One fault: in `file`, a module or a contract, `text` becomes `instead`, and `killer` must fail."""

    name: str
    file: str
    text: str
    instead: str
    killer: str

    @property
    def path(self) -> Path:
        """The file that it changes."""
        folder = SOURCES if self.file[0].isupper() else SOURCES / "modules"
        return folder / f"{self.file}.vy"

    def source(self) -> str:
        """The file with the fault. LookupError if the text does not stand there once."""
        original = self.path.read_text()
        if (found := original.count(self.text)) != 1:
            raise LookupError(f"mutant {self.name}: {self.path.name} has its text {found} times: {self.text!r}")
        return original.replace(self.text, self.instead)


def dropped(name: str, file: str, line: str, killer: str) -> Mutant:
    """A statement on a line of its own that is left out."""
    text = f"    {line}\n"
    return Mutant(name, file, text, text.replace(line.strip(), "pass"), killer)


MUTANTS = (
    # settlement
    dropped(
        "anyone_settles",
        "settlement",
        "access._check_operator()",
        "test_settle.py::test_settle_reverts_for_anyone_but_the_operator",
    ),
    dropped(
        "settles_while_paused",
        "settlement",
        "pausing._check_running()",
        "test_settle.py::test_settle_reverts_while_paused_or_frozen",
    ),
    dropped(
        "any_head",
        "settlement",
        'assert prev_head == self._journal_head, "settle: wrong head"',
        "test_settle.py::test_settle_reverts_for_a_wrong_seq_or_head",
    ),
    Mutant(
        "sums_not_compared",
        "settlement",
        "assert sums <= U80,",
        "assert sums <= max_value(uint256),",
        "test_findings_of_others.py::test_taker_total_not_reconciled_with_the_makers_sum",
    ),
    Mutant(
        "sums_overlap",
        "settlement",
        "QUOTE_SHIFT: constant(uint256) = 80",
        "QUOTE_SHIFT: constant(uint256) = 64",
        "test_packing.py::test_the_sums_of_a_section_meet_exactly_when_its_word_says_so",
    ),
    Mutant(
        "sellers_limit_swapped",
        "settlement",
        "assert quote >= worst,",
        "assert quote <= worst,",
        "test_settle.py::test_limits_bind_each_side",
    ),
    Mutant(
        "fee_cap_inverted",
        "settlement",
        "assert unsafe_mul(fee, BPS) <= unsafe_mul(quote, max_fee_bps),",
        "assert unsafe_mul(fee, BPS) >= unsafe_mul(quote, max_fee_bps),",
        "test_settle.py::test_fee_cap_binds",
    ),
    dropped(
        "empty_fills_settle",
        "settlement",
        'assert unsafe_mul(lots, quote) != 0, "order: nothing filled"',
        "test_findings_of_others.py::test_fee_cap_skipped_for_a_zero_fill",
    ),
    Mutant(
        "expiry_unchecked",
        "settlement",
        "unsafe_add(expiry, timing.GRACE)",
        "unsafe_add(U40, timing.GRACE)",
        "test_findings_of_others.py::test_signed_expiry_not_enforced_for_orders",
    ),
    Mutant(
        "grace_dropped",
        "settlement",
        "unsafe_add(expiry, timing.GRACE)",
        "unsafe_add(expiry, unsafe_mul(timing.GRACE, 0))",
        "test_settle.py::test_signed_expiry_is_enforced_after_the_grace",
    ),
    # replay
    dropped(
        "single_fill_not_marked",
        "replay",
        "    self._bits[slot] = bits | bit",
        "test_settle.py::test_single_fill_orders_execute_once",
    ),
    dropped(
        "filled_nonce_not_closed",
        "replay",
        "self._marks[marks_slot] = marks | (CLOSED << offset)",
        "test_settle.py::test_an_order_filled_whole_at_once_closes_its_nonce",
    ),
    Mutant(
        "marks_overlap",
        "replay",
        "offset: uint256 = (sequence & 127) << 1",
        "offset: uint256 = sequence & 127",
        "test_settle.py::test_the_128_nonces_of_one_slot_do_not_touch_each_other",
    ),
    dropped(
        "exit_does_not_stop_settlement",
        "replay",
        'assert exit_at == 0 or block.timestamp < exit_at, "order: account exited"',
        "test_limits.py::test_limit_binds_after_the_delay",
    ),
    Mutant(
        "cancel_binds_at_once",
        "replay",
        "    effective_at: uint256 = block.timestamp + timing.DELAY\n    self._cancelled_at",
        "    effective_at: uint256 = block.timestamp\n    self._cancelled_at",
        "test_cancel.py",
    ),
    # ledger
    Mutant(
        "wrong_lane",
        "ledger",
        "offset: uint256 = (debit_id & 3) << 6",
        "offset: uint256 = (debit_id & 3) << 5",
        "test_packing.py::test_a_trade_moves_two_balances_and_no_other_bit",
    ),
    Mutant(
        "lane_overflows",
        "ledger",
        'assert unsafe_add((word >> offset) & U63, credit) <= U63, "ledger: balance overflow"',
        "pass",
        "test_packing.py::test_a_trade_moves_two_balances_and_no_other_bit",
    ),
    dropped(
        "total_not_lowered",
        "transfers",
        "ledger._release(token_id, amount)",
        "test_foreign_tokens.py::test_money_comes_in_trades_and_leaves_in_every_way",
    ),
    Mutant(
        "credits_what_was_asked_for",
        "transfers",
        "(staticcall token.balanceOf(self) - before) //",
        "amount //",
        "test_hostile_tokens.py::test_deposit_counts_what_arrived_of_a_token_with_a_fee",
    ),
    Mutant(
        "refused_eth_is_the_receivers",
        "transfers",
        "self._refused[claimant] += amount",
        "self._refused[recipient] += amount",
        "test_audit_findings.py::test_eth_of_funding_that_is_refused_waits_for_the_account",
    ),
    Mutant(
        "deposits_let_callbacks_in",
        "deposits",
        "# pragma nonreentrancy on",
        "# pragma nonreentrancy off",
        "test_hostile_tokens.py::test_a_token_that_calls_back_is_locked_out",
    ),
    # leaving
    dropped(
        "claim_without_debit",
        "withdrawals",
        "ledger._debit_trading(account, token_id, paid)",
        "test_request_withdraw.py",
    ),
    Mutant(
        "withdrawal_not_approved",
        "withdrawals",
        "assert eip712._signer_of(approved, approval) == access._co_signer,",
        "assert eip712._signer_of(approved, approval) != access._owner,",
        "test_withdraw.py",
    ),
    dropped(
        "withdrawal_nonce_not_used_up",
        "withdrawals",
        "self._used[slot] = bits | bit",
        "test_withdraw.py",
    ),
    Mutant(
        "exit_not_delayed",
        "exits",
        "effective_at: uint256 = block.timestamp + timing.DELAY",
        "effective_at: uint256 = block.timestamp + timing.DELAY * 0",
        "test_findings_of_others.py::test_delays_in_blocks_instead_of_seconds",
    ),
    dropped(
        "exit_pays_funding_for_ever",
        "exits",
        "ledger._debit_funding(account, token_id, funding)",
        "test_exit.py",
    ),
    Mutant(
        "outflow_level_not_raised",
        "outflow",
        "self._set(token_id, limit, level)\n        else:",
        "pass\n        else:",
        "test_outflow.py",
    ),
    # keys
    dropped(
        "delegate_scope_skipped",
        "delegates",
        'assert (word >> market_id) & 1 == 1, "delegate: out of scope"',
        "test_delegates.py::test_delegated_order_reverts_out_of_scope",
    ),
    Mutant(
        "revoked_delegate_returns",
        "delegates",
        '    assert (word >> REVOKED_SHIFT) & U40 == 0, "delegate: revoked for ever"\n    assert scope',
        "    assert scope",
        "test_findings_of_others.py::test_deregistered_delegate_whose_old_orders_replay",
    ),
    Mutant(
        "chain_id_frozen",
        "eip712",
        "if chain.id == CHAIN_ID and self == CONTRACT:",
        "if self == CONTRACT:",
        "test_findings_of_others.py::test_missing_chain_id",
    ),
    Mutant(
        "exit_not_marked",
        "accounts",
        "    ledger._mark(account)\n    self._words[account] = (self._words[account] & ~(U40 << EXIT_SHIFT))",
        "    self._words[account] = (self._words[account] & ~(U40 << EXIT_SHIFT))",
        "test_limits.py::test_limit_binds_after_the_delay",
    ),
    # roles
    dropped(
        "timelock_skipped",
        "access",
        '    assert block.timestamp >= ready_at, "owner: too early"',
        "test_findings_of_others.py::test_delays_in_blocks_instead_of_seconds",
    ),
    dropped(
        "announcement_serves_twice",
        "access",
        "    self._ready_at[operation_hash] = 0",
        "test_access.py",
    ),
    dropped(
        "operator_approves",
        "approvals",
        "    access._check_approver(approver)",
        "test_access.py::test_who_operates_never_approves",
    ),
    Mutant(
        "approver_operates",
        "access",
        'assert approver not in [operator, standby_operator, co_signer], "roles: approver operates"',
        "assert approver != empty(address)",
        "test_access.py::test_who_operates_never_approves",
    ),
    dropped(
        "pauses_chained",
        "pausing",
        'assert block.timestamp >= self._pause_ready_at, "pause: too soon after another"',
        "test_pausing.py",
    ),
    # deposit addresses
    dropped(
        "anyone_moves_what_lies_there",
        "DepositAddress",
        'assert msg.sender == FACTORY, "deposit address: not factory"',
        "test_deposit_addresses.py::test_only_the_factory_calls_a_deposit_address",
    ),
    Mutant(
        "swept_into_funding",
        "DepositAddress",
        "deposit(info.token, value, account, False)",
        "deposit(info.token, value, account, True)",
        "test_deposit_addresses.py::test_sweep_credits_the_accounts_trading_balance",
    ),
    Mutant(
        "allowance_left",
        "DepositAddress",
        "if staticcall token.allowance(self, CUSTODY) != 0:",
        "if value == 0:",
        "test_deposit_addresses.py::test_a_token_that_never_uses_up_an_allowance_is_left_none",
    ),
    dropped(
        "recovered_to_nobody",
        "DepositAddress",
        'assert recipient not in [empty(address), self, FACTORY, CUSTODY], "recover: bad recipient"',
        "test_deposit_addresses.py::test_recover_reverts_for_recipients_that_lose_it",
    ),
    Mutant(
        "all_share_one_address",
        "DepositAddresses",
        "salt: bytes32 = convert(account, bytes32)",
        "salt: bytes32 = empty(bytes32)",
        "test_deposit_addresses.py::test_every_account_has_an_address_of_its_own",
    ),
    Mutant(
        "plain_eth_costs_a_look",
        "DepositAddresses",
        'x"36600557005b"',
        'x"5b5b5b5b5b5b"',
        "test_deposit_addresses.py::test_plain_eth_needs_no_more_gas_than_transfer_leaves",
    ),
)


def plant(mutant: Mutant | None) -> Path:
    """A copy of the contracts with the fault, or without any, under `build/mutants`."""
    folder = FOLDER / (mutant.name if mutant else "none") / "contracts"
    shutil.rmtree(folder.parent, ignore_errors=True)
    shutil.copytree(SOURCES, folder)
    if mutant is not None:
        (folder / mutant.path.relative_to(SOURCES)).write_text(mutant.source())
    return folder


def run_against(folder: Path, *tests: str) -> tuple[int, int, str]:
    """How many of these tests failed and passed against the contracts in a folder, and what pytest said.

    RuntimeError if they could not be run, as when the contracts do not compile.
    """
    environment = {**os.environ, "BIZZAN_MUTANT": str(folder.relative_to(ROOT))}
    _program(environment, "-c", COMPILE, allowed=(0,))
    nodes = [f"{UNIT}/{test}" for test in tests]
    flags = ["-q", "-n", "0", "--tb=line", "-p", "tests.utils.mutated", "-p", "no:cacheprovider"]
    said = _program(environment, "-m", "pytest", *flags, *nodes, allowed=(0, 1))
    last = said.splitlines()[-1]
    found = SUMMARY.search(last)
    if found is None or "error" in last:
        raise RuntimeError(said[-4_000:])
    return int(found[1] or 0), int(found[2] or 0), said


def _program(environment: dict[str, str], *arguments: str, allowed: tuple[int, ...]) -> str:
    """What Python prints. RuntimeError if it ends otherwise than allowed."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        raise RuntimeError((done.stdout + done.stderr)[-4_000:])
    return done.stdout.strip()

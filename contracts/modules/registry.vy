# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Registry
@license Apache-2.0
@notice The tokens that may be deposited and the markets that may settle. A token counts in ledger units, of `unit` token
        units each. Nothing is ever removed: closing a token stops deposits and never a withdrawal, and halting a market
        binds here only after the delay, so that what was matched before settles.
@custom:invariant R1, R2
@custom:kill The owner schedules `set_token_status` or `set_market_status`; users' way out does not depend on either.
"""

from ..interfaces import ICustody
from . import access
from . import timing

uses: access
uses: timing

# Delegates name their markets in a bitmap of this many bits, bit 0 unused.
MAX_MARKETS: constant(uint256) = 175
MAX_LOT_SIZE: constant(uint256) = 2**63 - 1
MAX_UNIT: constant(uint256) = 10**30
TWO_WORDS: constant(uint256) = 68
THREE_WORDS: constant(uint256) = 100
U32: constant(uint256) = 2**32 - 1
U64: constant(uint256) = 2**64 - 1

_token_count: uint256
_tokens: HashMap[uint256, ICustody.TokenInfo]
# One more than the id, so that 0 means unknown.
_token_numbers: HashMap[address, uint256]
_market_count: uint256
# halted_at 64 | lot_size 64 | quote_token_id 32 | base_token_id 32
_markets: HashMap[uint256, uint256]
_market_of_pair: HashMap[uint256, HashMap[uint256, uint256]]


@external
@view
def token_count() -> uint256:
    """
    @notice How many tokens are listed; ids run from 0.
    """
    return self._token_count


@external
@view
def tokens(token_id: uint256) -> ICustody.TokenInfo:
    """
    @notice A token; all zero when the id is unknown.
    """
    return self._tokens[token_id]


@external
@view
def market_count() -> uint256:
    """
    @notice How many markets are listed; ids run from 1.
    """
    return self._market_count


@external
@view
def markets(market_id: uint256) -> ICustody.MarketInfo:
    """
    @notice A market; all zero when the id is unknown. `halted_at` 0 means open.
    """
    word: uint256 = self._markets[market_id]
    return ICustody.MarketInfo(
        base_token_id=word & U32,
        quote_token_id=(word >> 32) & U32,
        lot_size=(word >> 64) & U64,
        halted_at=word >> 128,
    )


@external
def list_token(token: address, unit: uint256, decimals: uint256):
    """
    @notice The owner lists a token, or ETH as the zero address. A token whose balances change by themselves must not be listed.
    @param unit Token units in one ledger unit.
    @param decimals The token's decimals, for the record.
    """
    access._check_operation(keccak256(slice(msg.data, 0, THREE_WORDS)))
    assert token == empty(address) or token.is_contract, "token: no code"
    assert self._token_numbers[token] == 0, "token: listed before"
    assert unit != 0 and unit <= MAX_UNIT, "token: unit out of range"
    assert decimals <= 36, "token: decimals out of range"
    token_id: uint256 = self._token_count
    assert token_id < U32, "token: too many"
    self._token_count = token_id + 1
    self._token_numbers[token] = token_id + 1
    self._tokens[token_id] = ICustody.TokenInfo(token=token, unit=unit, decimals=decimals, deposits_open=True)
    log ICustody.TokenListed(token_id=token_id, token=token, unit=unit, decimals=decimals)


@external
def set_token_status(token_id: uint256, deposits_open: bool):
    """
    @notice The owner opens or closes deposits of a token.
    """
    access._check_operation(keccak256(slice(msg.data, 0, TWO_WORDS)))
    assert token_id < self._token_count, "token: not listed"
    self._tokens[token_id].deposits_open = deposits_open
    log ICustody.TokenStatusChanged(token_id=token_id, deposits_open=deposits_open)


@external
def list_market(base_token_id: uint256, quote_token_id: uint256, lot_size: uint256):
    """
    @notice The owner lists a market between two tokens.
    @param lot_size Base ledger units in one lot.
    """
    access._check_operation(keccak256(slice(msg.data, 0, THREE_WORDS)))
    assert max(base_token_id, quote_token_id) < self._token_count, "token: not listed"
    assert base_token_id != quote_token_id, "market: one token"
    assert lot_size != 0 and lot_size <= MAX_LOT_SIZE, "market: lot out of range"
    assert self._market_of_pair[base_token_id][quote_token_id] == 0, "market: listed before"
    market_id: uint256 = self._market_count + 1
    assert market_id <= MAX_MARKETS, "market: too many"
    self._market_count = market_id
    self._market_of_pair[base_token_id][quote_token_id] = market_id
    self._markets[market_id] = (lot_size << 64) | (quote_token_id << 32) | base_token_id
    log ICustody.MarketListed(
        market_id=market_id, base_token_id=base_token_id, quote_token_id=quote_token_id, lot_size=lot_size
    )


@external
def set_market_status(market_id: uint256, halted: bool):
    """
    @notice The owner halts a market, which binds after the delay, or opens it again, which binds at once.
    """
    access._check_operation(keccak256(slice(msg.data, 0, TWO_WORDS)))
    word: uint256 = self._markets[market_id]
    assert word != 0, "market: not listed"
    effective_at: uint256 = block.timestamp
    if halted:
        assert word >> 128 == 0, "market: halted before"
        effective_at += timing.DELAY
        word |= effective_at << 128
    else:
        word &= 2**128 - 1
    self._markets[market_id] = word
    log ICustody.MarketStatusChanged(market_id=market_id, halted=halted, effective_at=effective_at)


@internal
@view
def _token_id(token: address) -> uint256:
    number: uint256 = self._token_numbers[token]
    assert number != 0, "token: not listed"
    return number - 1


@internal
@view
def _ledger_amount(token_id: uint256, amount: uint256) -> uint256:
    """
    @dev Token units in ledger units; they must divide and be something.
    """
    unit: uint256 = self._tokens[token_id].unit
    assert amount != 0, "amount: zero"
    assert amount % unit == 0, "amount: not whole ledger units"
    return amount // unit


@internal
@view
def _live_market(market_id: uint256) -> uint256:
    """
    @dev The packed word of a market that may settle now.
    """
    word: uint256 = self._markets[market_id]
    assert word != 0, "market: not listed"
    halted_at: uint256 = word >> 128
    assert halted_at == 0 or block.timestamp < halted_at, "market: halted"
    return word

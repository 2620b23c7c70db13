# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Ledger
@license Apache-2.0
@notice Two balances per account and token, in ledger units: trading, which only settlement and withdrawals change, and
        funding. The sum of all of them is kept per token: it rises only with a token transfer into the contract and
        falls only with one out of it; everything between is a debit and an equal credit. Four trading balances of 63 bits
        share a slot, so that a trade between neighbouring tokens touches one. The top bit of an account's first slot
        marks an account with limits, so that a trade of any other account need not read them.
@custom:invariant L1, L2, L3, L4
@custom:kill Nothing to stop: only other modules call it.
"""

# Keeps every amount in 63 bits for readers that have no unsigned numbers.
MAX_LIABILITIES: constant(uint256) = 2**63 - 1
U63: constant(uint256) = 2**63 - 1
MARK: constant(uint256) = 1 << 255

# account << 96 | token_id / 4 -> four balances of 63 bits in lanes of 64; in slot 0 the top bit is the mark
_trading: HashMap[uint256, uint256]
_funding: HashMap[address, HashMap[uint256, uint256]]
_liabilities: HashMap[uint256, uint256]


@external
@view
def trading_balance(account: address, token_id: uint256) -> uint256:
    """
    @notice What an account can trade with, in ledger units.
    """
    return self._trading_balance(account, token_id)


@external
@view
def funding_balance(account: address, token_id: uint256) -> uint256:
    """
    @notice What an account holds beside trading, in ledger units.
    """
    return self._funding[account][token_id]


@external
@view
def liabilities(token_id: uint256) -> uint256:
    """
    @notice The sum of all trading and funding balances of a token, in ledger units.
    """
    return self._liabilities[token_id]


@internal
@view
def _trading_balance(account: address, token_id: uint256) -> uint256:
    assert token_id < 2**32, "token: not listed"
    return (self._trading[self._slot(account, token_id)] >> self._offset(token_id)) & U63


@internal
@pure
def _slot(account: address, token_id: uint256) -> uint256:
    return (convert(account, uint256) << 96) | (token_id >> 2)


@internal
@pure
def _offset(token_id: uint256) -> uint256:
    return (token_id & 3) << 6


@internal
def _receive(token_id: uint256, amount: uint256):
    """
    @dev `amount` ledger units came in as tokens; the caller credits them.
    """
    assert amount != 0, "ledger: zero amount"
    total: uint256 = self._liabilities[token_id] + amount
    assert total <= MAX_LIABILITIES, "ledger: token is full"
    self._liabilities[token_id] = total


@internal
def _release(token_id: uint256, amount: uint256):
    """
    @dev `amount` ledger units go out as tokens; the caller has debited them.
    """
    self._liabilities[token_id] -= amount


@internal
def _credit(account: address, token_id: uint256, amount: uint256, to_funding: bool):
    if to_funding:
        self._funding[account][token_id] += amount
    else:
        slot: uint256 = self._slot(account, token_id)
        self._trading[slot] = self._plus(self._trading[slot], self._offset(token_id), amount)


@internal
def _debit_trading(account: address, token_id: uint256, amount: uint256):
    slot: uint256 = self._slot(account, token_id)
    self._trading[slot] = self._minus(self._trading[slot], self._offset(token_id), amount)


@internal
def _debit_funding(account: address, token_id: uint256, amount: uint256):
    balance: uint256 = self._funding[account][token_id]
    assert balance >= amount, "ledger: too little funding"
    self._funding[account][token_id] = unsafe_sub(balance, amount)


@internal
def _mark(account: address):
    """
    @dev From now on settlement reads the account's limits. A mark is never taken away.
    """
    self._trading[self._slot(account, 0)] |= MARK


@internal
def _exchange(key: uint256, debit_id: uint256, debit: uint256, credit_id: uint256, credit: uint256) -> bool:
    """
    @dev One side of a trade. `key` is the account << 96; ids fit 32 bits; amounts are below 2**128. Returns whether the
         account may have limits: it is marked, or the trade did not touch the slot that tells.
    """
    debit_slot: uint256 = key | (debit_id >> 2)
    credit_slot: uint256 = key | (credit_id >> 2)
    word: uint256 = self._trading[debit_slot]
    first: uint256 = MARK
    if debit_slot == key:
        first = word
    offset: uint256 = (debit_id & 3) << 6
    assert (word >> offset) & U63 >= debit, "ledger: too little trading"
    word = unsafe_sub(word, debit << offset)
    if debit_slot != credit_slot:
        self._trading[debit_slot] = word
        word = self._trading[credit_slot]
        if credit_slot == key:
            first = word
    offset = (credit_id & 3) << 6
    assert unsafe_add((word >> offset) & U63, credit) <= U63, "ledger: balance overflow"
    self._trading[credit_slot] = unsafe_add(word, credit << offset)
    return first >= MARK


@internal
@pure
def _plus(word: uint256, offset: uint256, amount: uint256) -> uint256:
    # `amount` is below 2**192, so the sum cannot wrap
    assert unsafe_add((word >> offset) & U63, amount) <= U63, "ledger: balance overflow"
    return unsafe_add(word, amount << offset)


@internal
@pure
def _minus(word: uint256, offset: uint256, amount: uint256) -> uint256:
    assert (word >> offset) & U63 >= amount, "ledger: too little trading"
    return unsafe_sub(word, amount << offset)

# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Test token
@license Apache-2.0
@notice A plain ERC-20 for development chains, which anyone may mint, a bounded amount per call. It has no value and no
        owner, and must never be listed where tokens have one.
@custom:kill Nothing to stop: nobody depends on it.
"""


event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256


event Approval:
    owner: indexed(address)
    spender: indexed(address)
    amount: uint256


DOMAIN_TYPE_HASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
PERMIT_TYPE_HASH: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
# Whole tokens that one call of the faucet mints at most.
FAUCET_TOKENS: constant(uint256) = 1_000_000_000

name: public(String[32])
symbol: public(String[8])
decimals: public(immutable(uint8))
faucet_limit: public(immutable(uint256))

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])


@deploy
def __init__(name: String[32], symbol: String[8], token_decimals: uint8):
    self.name = name
    self.symbol = symbol
    decimals = token_decimals
    faucet_limit = FAUCET_TOKENS * 10 ** convert(token_decimals, uint256)


@external
def faucet(amount: uint256):
    """
    @notice Mint `amount` token units to the caller.
    @param amount At most `faucet_limit()`.
    """
    assert amount <= faucet_limit, "faucet: over the limit"
    self.totalSupply += amount
    self.balanceOf[msg.sender] += amount
    log Transfer(sender=empty(address), receiver=msg.sender, amount=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move token units from the caller to `receiver`.
    """
    self._transfer(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move token units that `sender` allowed the caller to move.
    """
    allowed: uint256 = self.allowance[sender][msg.sender]
    assert allowed >= amount, "transfer: not allowed"
    if allowed != max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._transfer(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let `spender` move up to `amount` token units of the caller; the largest value is never used up.
    """
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, amount=amount)
    return True


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Let `spender` move up to `amount` token units of the owner, by the owner's signature `v`, `r`, `s` (EIP-2612).
    @param deadline The last moment, in unix seconds.
    """
    assert block.timestamp <= deadline, "permit: expired"
    struct_hash: bytes32 = keccak256(
        abi_encode(PERMIT_TYPE_HASH, owner, spender, amount, self.nonces[owner], deadline)
    )
    digest: bytes32 = keccak256(concat(b"\x19\x01", self._separator(), struct_hash))
    assert owner != empty(address), "permit: wrong signer"
    assert ecrecover(digest, v, r, s) == owner, "permit: wrong signer"
    self.nonces[owner] += 1
    self.allowance[owner][spender] = amount
    log Approval(owner=owner, spender=spender, amount=amount)


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice The EIP-712 domain of permits: the token's name, version 1, this chain and this contract.
    """
    return self._separator()


@internal
@view
def _separator() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE_HASH, keccak256(self.name), keccak256("1"), chain.id, self))


@internal
def _transfer(sender: address, receiver: address, amount: uint256):
    balance: uint256 = self.balanceOf[sender]
    assert balance >= amount, "transfer: too little balance"
    self.balanceOf[sender] = balance - amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, amount=amount)

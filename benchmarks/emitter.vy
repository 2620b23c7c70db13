# pragma version 0.4.3
"""
@title Emitter
@license Apache-2.0
@notice Logs what settlements log, without settling: the benchmark of the indexer needs many events in few blocks.
"""


event MarketListed:
    market_id: indexed(uint256)
    base_token_id: uint256
    quote_token_id: uint256
    lot_size: uint256


event OrderExecuted:
    account: indexed(address)
    order_hash: bytes32
    amounts: uint256


event BatchSettled:
    seq: indexed(uint256)
    prev_head: bytes32
    new_head: bytes32
    executions: uint256


MAX_EXECUTIONS: constant(uint256) = 1024
ACCOUNTS: constant(uint256) = 500


@deploy
def __init__():
    log MarketListed(market_id=2, base_token_id=1, quote_token_id=0, lot_size=100_000)


@external
def settle(seq: uint256, executions: uint256):
    """
    @notice One batch: a log per execution, then the batch's.
    """
    for place: uint256 in range(executions, bound=MAX_EXECUTIONS):
        order_hash: bytes32 = keccak256(abi_encode(seq, place))
        number: uint256 = convert(order_hash, uint256)
        log OrderExecuted(
            account=convert(convert(keccak256(convert(number % ACCOUNTS, bytes32)), uint256) >> 96, address),
            order_hash=order_hash,
            amounts=((place & 1) << 224) | (2 << 192) | (1_000 << 128) | (2_000_000_000 << 64) | 1_000_000,
        )
    log BatchSettled(seq=seq, prev_head=empty(bytes32), new_head=convert(seq, bytes32), executions=executions)

"""The submitter's view of a chain, from a node's JSON-RPC."""

from exchange.chain.rpc import Call, InvalidAnswer, Rpc, RpcRefused
from exchange.chain.submission import Head, Inclusion
from exchange.chain.types import Header, Receipt


class NodeChain:
    """The port `Chain` of `exchange.chain.submission` over one node. Methods raise ChainError."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def head(self) -> Head:
        """The latest block."""
        header = await self._rpc.header("latest")
        if header is None:
            raise InvalidAnswer("the node has no latest block")
        return Head(header.number, bytes.fromhex(header.hash[2:]), header.timestamp, header.base_fee)

    async def block_hashes(self, numbers: list[int]) -> list[bytes | None]:
        """The hashes of the canonical blocks at these heights, in order; None above the head."""
        calls: list[Call] = [("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        headers: list[Header | None] = await self._rpc.batch(calls, Header | None)  # type: ignore[arg-type]
        return [None if header is None else bytes.fromhex(header.hash[2:]) for header in headers]

    async def transaction_count(self, address: bytes, block_number: int | None = None) -> int:
        """How many nonces of `address` are mined, at the head or at a block."""
        place = "latest" if block_number is None else hex(block_number)
        return await self._rpc.transaction_count(address, place)

    async def inclusions(self, tx_hashes: list[bytes]) -> list[Inclusion | None]:
        """Where each transaction was mined, in order; None where it was not."""
        calls: list[Call] = [("eth_getTransactionReceipt", ("0x" + tx_hash.hex(),)) for tx_hash in tx_hashes]
        receipts: list[Receipt | None] = await self._rpc.batch(calls, Receipt | None)  # type: ignore[arg-type]
        return [None if receipt is None else _inclusion(receipt) for receipt in receipts]

    async def send(self, raw: bytes) -> str | None:
        """Hand a transaction to the node: None if it was taken, else the node's words."""
        try:
            await self._rpc.send_raw_transaction(raw)
        except RpcRefused as error:
            return error.message
        return None

    async def balance(self, address: bytes) -> int:
        """Wei of an address."""
        return await self._rpc.balance(address)


def _inclusion(receipt: Receipt) -> Inclusion:
    return Inclusion(
        tx_hash=bytes.fromhex(receipt.transaction_hash[2:]),
        block_number=receipt.block_number,
        block_hash=bytes.fromhex(receipt.block_hash[2:]),
        succeeded=receipt.succeeded,
        cost=receipt.gas_used * receipt.effective_gas_price,
    )

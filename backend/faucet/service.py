"""The faucet of an API worker: there is one on the local chain, and none anywhere else."""

from backend.faucet import schemas
from backend.wire import address_of
from exchange.chain.faucet import Faucet, FaucetEmpty
from exchange.chain.rpc import Rpc
from exchange.chain.signing import Key
from exchange.domain.deployment import Deployment
from exchange.domain.errors import ErrorCode, Refusal
from exchange.settings import Settings


def build(settings: Settings, deployment: Deployment, rpc: Rpc) -> Faucet | None:
    """The faucet of the local chain; None elsewhere."""
    if not settings.is_local_chain:
        return None
    tokens = {deployment.asset(token.asset_id).symbol: token for token in deployment.tokens}
    return Faucet(rpc, deployment.chain_id, Key(settings.key("faucet")), tokens)


async def give(faucet: Faucet | None, request: schemas.FaucetRequest) -> schemas.FaucetAnswer:
    """Give play money. Refuses where there is none, and while the chain is away."""
    if faucet is None:
        raise Refusal(ErrorCode.not_found, "this chain has no faucet: only the local chain has one")
    try:
        gifts = await faucet.give(address_of(request.address))
    except FaucetEmpty as error:
        raise Refusal(ErrorCode.unavailable, f"the faucet: {error}") from error
    views = (
        schemas.GiftView(symbol=gift.symbol, amount=str(gift.amount), decimals=gift.decimals, tx_hash=gift.tx_hash)
        for gift in gifts
    )
    return schemas.FaucetAnswer(gifts=list(views))

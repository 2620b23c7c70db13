"""Commands to write into a journal: one of every kind."""

from exchange.domain.instrument import Asset, Market
from exchange.domain.order import SINGLE_FILL, Order, Side
from exchange.engine import commands as c

ACCOUNT = bytes(range(20))
SIGNER = bytes(range(20, 40))
HASH = bytes(range(32))
SIGNATURE = bytes(range(65))

ORDER = Order(ACCOUNT, 1, Side.buy, 2**64 - 1, 2**64 - 1, SINGLE_FILL | 7, 2**40 - 1, 0, 2**16 - 1, 2**128 - 1)
MARKET = Market(1, "BTC/USDC", 2, 0, 10_000, 10, 1_000_000, 2_000, 200, 500, 600_000)

EVERY_COMMAND: tuple[c.Command, ...] = (
    c.PlaceOrder(ORDER, HASH, 1, SIGNATURE, SIGNER, "client order"),
    c.PlaceFrame(SIGNER, 3, HASH, HASH, SIGNATURE, ORDER.pack() * 2),
    c.PlaceMixedFrame(SIGNER, 3, HASH, HASH, SIGNATURE, ORDER.pack() * 2, b"\x02"),
    c.AmendOrder(ORDER, HASH, 1, SIGNATURE, SIGNER, "client order"),
    c.PlaceGroup(
        c.PlaceOrder(ORDER, HASH, 1, SIGNATURE, SIGNER, "first"), c.PlaceOrder(ORDER, HASH, 2, SIGNATURE * 9, SIGNER)
    ),
    c.CancelOrder(ACCOUNT, 2**64 - 1, SIGNATURE, SIGNER),
    c.CancelAll(ACCOUNT, 2**48 - 1, SIGNATURE, SIGNER),
    c.MassCancel(ACCOUNT, 1, 2, 2**64 - 1, SIGNATURE, SIGNER),
    c.SetCountdown(ACCOUNT, 30, 2**64 - 1, SIGNATURE, SIGNER),
    c.StopTrading(ACCOUNT, True, 2**64 - 1, SIGNATURE),
    c.SetTradingStop(12, ACCOUNT, False),
    c.HoldWithdrawal(ACCOUNT, 0, 2**63 - 1, HASH, 3, 1_900_000_000, '{"amount":"1"}', SIGNATURE),
    c.Tick(),
    c.ListAsset(Asset(0, "USDC", 6)),
    c.ListMarket(MARKET, ACCOUNT),
    c.SetMarketStatus(1, 1, "halted"),
    c.SetMarketBounds(1, 1, 500, 10, 20, 3, 40),
    c.SetMarketBounds(1, 1, 500, 10, 20, 3, 40, 2_000),
    c.SetAccountLimits(1, ACCOUNT, 50, 0, 2**62),
    c.StartAuction(1, 1, 1_900_000_000),
    c.AnnounceFees(2, 1, 1_900_000_000_000, ((100, 400), (0, 250)), 7),
    c.Credit(3, ACCOUNT, 0, 5, "log"),
    c.Uncredit(4, ACCOUNT, 0, 5, "log"),
    c.ReserveForced(5, ACCOUNT, 0, 5, "request"),
    c.ReleaseForced(6, "request"),
    c.Debit(7, ACCOUNT, 0, 5, "request", "log"),
    c.ConsumeWithdrawal(8, HASH, "log"),
    c.ReleaseWithdrawal(9, HASH, "deadline"),
    c.ObeyCancel(10, ACCOUNT, 4, 0),
    c.ObeyRevocation(11, ACCOUNT, SIGNER),
    c.SetExiting(12, ACCOUNT, True),
    c.SetFrozen(12, ACCOUNT, True),
    c.CutBatch(13, 1, 9),
    c.FinalizeBatch(14, 1),
    c.ReverseTrades(15, (1, 2, 3), "cause"),
    c.SetLimits(3_600_000, 1_000, 200),
    c.AllowDelegate(16, ACCOUNT, SIGNER),
    c.SetFeeRules(100, 3_600_000),
    c.SetAccountTier(17, ACCOUNT, 3, 0),
)

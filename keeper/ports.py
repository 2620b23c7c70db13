"""What the duties need of the world, as narrow as they need it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange.chain.submission import Call, Job
from exchange.database.batches import Batch, MatchedTrade
from keeper.custody import Block, CustodyState


class Jobs(Protocol):
    """The job table, as a duty uses it. Writes raise Fenced when another process leads."""

    async def enqueue(self, key: str, duty: str, call: Call) -> bool:
        """Add a job; False (and no change) if the key exists."""

    async def generations(self, subject: str) -> list[Job]:
        """The jobs made one after the other for the same thing: `subject`/0, `subject`/1, ..."""

    async def calls_since(self, duty: str, since_ms: int) -> list[tuple[int, str, Call]]:
        """When each of a duty's jobs since then was made, its key and its call; oldest first."""

    async def live(self, duty: str) -> list[Job]:
        """The jobs of a duty that have not ended."""

    async def request_cancel(self, job_id: int) -> None:
        """Ask for the job's nonce back."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the database knows of settlement, read at one moment.

    `waiting`: commands of ours that the engine has not answered visibly. `batch`: the batch asked for, if cut.
    `uncut`: the oldest trades in no batch, if it is not.
    """

    waiting: int
    last_batch: int
    batch: Batch | None
    uncut: Sequence[MatchedTrade]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Trades that can never settle, and what on the chain makes it so."""

    trade_ids: tuple[int, ...]
    cause: str


class Ledgers(Protocol):
    """Reads of settlement, and the engine's inbox."""

    async def look(self, batch: int, limit: int) -> Ledger:
        """How settlement stands at batch `batch`, and at most `limit` uncut trades."""

    async def cut_batches(self, first: int, limit: int) -> Sequence[Batch]:
        """The batches that are cut, from number `first` on."""

    async def trades_of(self, batch: int) -> Sequence[MatchedTrade]:
        """The trades of a batch that stand, in journal order."""

    async def cut(self, batch: int, to_seq: int) -> None:
        """Ask the engine to bind the trades up to `to_seq` to `batch`."""

    async def reverse(self, verdicts: Sequence[Verdict]) -> None:
        """Tell the engine, at once and in this order, that these trades can never settle."""


class SettlementChain(Protocol):
    """The custody contract, as the settle duty uses it. Methods raise ChainError."""

    async def state(self) -> CustodyState:
        """The settlement state at the latest block."""

    async def block(self, place: int | str) -> Block:
        """A block; LookupError if there is none."""

    async def refusal(self, sender: bytes, data: bytes, gas: int | None = None) -> str | None:
        """Why a call would fail now, None if it would not."""

    async def refusal_after(
        self, before: Sequence[bytes], sender: bytes, data: bytes, gas: int, block: Block
    ) -> str | None:
        """Why a call would fail at `block` after the calls `before`, None if it would not."""

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        """Gas that a call needs now."""

    def call(self, data: bytes, gas: int) -> Call:
        """A call of the contract."""

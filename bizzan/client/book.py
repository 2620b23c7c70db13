"""A replica of one market's order book, kept by the messages of its `book` channel."""

from bizzan.client.schemas import Level
from bizzan.client.stream import Message


class BookReplica:
    """Levels of both sides. `seq` is that of the last message; nothing is missing up to it."""

    def __init__(self) -> None:
        self.seq = 0
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}

    def apply(self, message: Message) -> None:
        """Take a snapshot, or the levels that changed (quantity 0: gone)."""
        if message.kind == "snapshot":
            self._bids.clear()
            self._asks.clear()
        for side, name in ((self._bids, "bids"), (self._asks, "asks")):
            for price, quantity in message.content[name]:
                if int(quantity):
                    side[int(price)] = int(quantity)
                else:
                    side.pop(int(price), None)
        self.seq = message.seq

    def bids(self) -> list[Level]:
        """Best first."""
        return sorted(self._bids.items(), reverse=True)

    def asks(self) -> list[Level]:
        """Best first."""
        return sorted(self._asks.items())

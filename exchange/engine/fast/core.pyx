# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The matching engine's hot half: balances, books, open orders, expiries and trades in arrays of records.

`Core.run` applies a run of packed commands (packing.py) and leaves packed events; everything else here lets
exchange.engine.fast.state look at the records and change them for the rare commands. core.pyi says it all in types.
"""

from exchange.engine import events as e

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory

include "records.pxi"
include "memory.pxi"
include "tables.pxi"
include "money.pxi"
include "levels.pxi"
include "books.pxi"
include "expiries.pxi"
include "risk.pxi"
include "matching.pxi"
include "calls.pxi"
include "longer.pxi"
include "bounds.pxi"
include "waiting.pxi"
include "ahead.pxi"
include "amends.pxi"
include "packed.pxi"
include "frames.pxi"

REASONS = (
    e.CloseReason.filled,
    e.CloseReason.cancelled,
    e.CloseReason.expired,
    e.CloseReason.unfilled,
    e.CloseReason.fok_unfilled,
    e.CloseReason.post_only_would_take,
    e.CloseReason.self_trade,
    e.CloseReason.too_many_fills,
    e.CloseReason.unsettled_limit,
    e.CloseReason.price_collar,
    None,
    None,
    e.CloseReason.amended,
)
STATUSES = ("active", "exiting", "frozen", "blocked")

cdef object OrderAccepted = e.OrderAccepted
cdef object TradeMatched = e.TradeMatched
cdef object OrderReduced = e.OrderReduced
cdef object OrderClosed = e.OrderClosed
cdef object LevelChanged = e.LevelChanged
cdef object BalanceChanged = e.BalanceChanged
cdef object AccountChanged = e.AccountChanged

cdef enum:
    PLACE = 1
    CANCEL = 2
    TICK = 3


cdef i32 apply_one(Memory *m, i64 seq, i64 at_ms, const u8 *command, const u8 *blob,
                   Guess *guess) noexcept nogil:
    """One command and its events; returns the refusal's number, 0 when it was accepted."""
    cdef i32 refusal = 0
    if command[0] == PLACE:
        m.record_fills = m.record_hashes = 0
        refusal = place(m, seq, at_ms, command, blob, guess)
    elif command[0] == CANCEL:
        refusal = cancel(m, command, guess)
    elif command[0] == TICK:
        expire(m, at_ms)
        m.record_fills = m.record_hashes = 0
        if unlikely(m.has_due | m.has_calls):
            take_turn(m, seq, at_ms)
        note_outcome(m, OPEN, 0)
    else:
        refusal = NO_COMMAND
    if unlikely(refusal):
        refuse(m, refusal, command, guess)
        return refusal
    if not m.silent:
        tell_changes(m)
    if m.dropped_level:
        free_dropped_levels(m)
    return 0


cdef void refuse(Memory *m, i32 refusal, const u8 *command, Guess *guess) noexcept nogil:
    cdef i64 *event
    if m.brief:
        m.outcomes[m.message].refusal = refusal
        m.outcomes[m.message].remaining = came_before(m, command, guess)
        return
    event = emit(m, REFUSED)
    event[1] = refusal


cdef i64 came_before(Memory *m, const u8 *command, Guess *guess) noexcept nogil:
    """The id under which this very order was taken before, 0 for none that is remembered: its nonce would be used."""
    cdef u64 nonce = <u64>word(command, 3)
    if command[0] != PLACE or guess.account == 0:
        return 0
    if not guessed_page(m, guess, nonce >> 6).used >> (nonce & 63) & 1:
        return 0
    return order_of_hash(&m.accounts[guess.account], command + ORDER_HASH)


cdef class Core:
    """The records, and the moves on them. Not safe for threads."""

    cdef Memory m
    cdef object owner

    def __cinit__(self, owner):
        cdef Memory *m = &self.m
        cdef i64 room = 0
        memset(m, 0, sizeof(Memory))
        self.owner = owner
        m.owner = <void *>owner
        m.oldest = -1
        m.columns_width = 16
        m.columns_used = 0
        m.seed = <u64>hash("the order of tables shows nowhere")
        m.by_address = <i32 *>grown(NULL, &m.by_address_room, 16, sizeof(i32))
        m.pages = <Page *>grown(NULL, &m.pages_room, 1_024, sizeof(Page))
        m.orders = <Order *>grown(NULL, &m.orders_room, 16, sizeof(Order))
        m.papers = <Paper *>grown(NULL, &room, 16, sizeof(Paper))
        m.balances = <Balance *>grown(NULL, &m.balances_room, 16, sizeof(Balance))
        room = 0
        m.next_balance = <i32 *>grown(NULL, &room, 16, sizeof(i32))
        m.accounts = <Account *>grown(NULL, &m.accounts_room, 16, sizeof(Account))
        room = 0
        m.columns = <i32 *>grown(NULL, &room, 16 * m.columns_width, sizeof(i32))
        m.books = <Book *>grown(NULL, &m.books_room, 16, sizeof(Book))
        m.levels = <Level *>grown(NULL, &m.levels_room, 16, sizeof(Level))
        m.blocks = <Block *>grown(NULL, &m.blocks_room, 16, sizeof(Block))
        m.spans = <Span *>grown(NULL, &m.spans_room, 16, sizeof(Span))
        m.span_places = <SpanPlace *>grown(NULL, &m.span_places_room, 64, sizeof(SpanPlace))
        m.seconds = <Second *>grown(NULL, &m.seconds_room, 16, sizeof(Second))
        m.second_places = <i32 *>grown(NULL, &m.second_places_room, 64, sizeof(i32))
        m.orders_used = m.balances_used = m.accounts_used = m.books_used = m.levels_used = m.blocks_used = 1
        m.spans_used = m.seconds_used = 1
        m.books[0].tick_size = 1  # of a market that there is not
        m.soonest = NEVER
        m.first_trade = 1

    def __dealloc__(self):
        cdef Memory *m = &self.m
        cdef i64 i
        for i in range(m.orders_used):
            if m.orders[i].id and m.orders[i].flags & APART:
                release(extra_of(&m.papers[i])[0])
        for i in range(m.seconds_used):
            release(m.seconds[i].expiries)
        for i in range(m.accounts_used):
            release(m.accounts[i].own)
        release_pieces(&m.pieces)
        for array in (
            <size_t>m.orders, <size_t>m.papers, <size_t>m.balances, <size_t>m.next_balance, <size_t>m.accounts,
            <size_t>m.by_address, <size_t>m.columns, <size_t>m.books, <size_t>m.levels, <size_t>m.pages,
            <size_t>m.blocks, <size_t>m.seconds, <size_t>m.second_heap,
            <size_t>m.second_places, <size_t>m.spans, <size_t>m.span_places, <size_t>m.trades, <size_t>m.events,
            <size_t>m.outcomes, <size_t>m.touched_balances, <size_t>m.touched_levels, <size_t>m.touched_accounts,
        ):
            release(<void *><size_t>array)

    # commands

    def run(self, const u8[::1] commands, const u8[::1] blob, i64 first, i64 count, i64 at_ms, bint stop):
        if first < 0 or count < 0 or (first + count) * COMMAND_SIZE > commands.shape[0]:
            raise ValueError("there are not so many commands")
        return self.run_commands(commands, blob, first, count, at_ms, stop)

    def run_brief(self, const u8[::1] commands, const u8[::1] blob, i64 at_ms, bint selective):
        """As `run`, leaving an outcome for each command, a view that holds until the next run. No events; or, if
        `selective`, those that everybody wants, and those of followed accounts."""
        cdef Memory *m = &self.m
        cdef i64 count = commands.shape[0] // COMMAND_SIZE
        m.outcomes = <Outcome *>grown(m.outcomes, &m.outcomes_room, count, sizeof(Outcome))
        m.brief, m.silent, m.selective = True, not selective, selective
        try:
            self.run_commands(commands, blob, 0, count, at_ms, False)
        finally:
            m.brief = m.silent = m.selective = False
        return PyMemoryView_FromMemory(<char *>m.outcomes, count * sizeof(Outcome), 0x100)

    cdef i64 run_commands(self, const u8[::1] commands, const u8[::1] blob, i64 first, i64 count, i64 at_ms,
                          bint stop) except -1:
        """Apply commands; how many were applied or refused, up to the first that was refused if it is to `stop` there."""
        cdef Memory *m = &self.m
        cdef const u8 *packed = &commands[0] + first * COMMAND_SIZE if commands.shape[0] else NULL
        cdef const u8 *beside = &blob[0] if blob.shape[0] else NULL
        cdef i64 i, seq = m.seq
        cdef Guess guesses[AHEAD]
        m.event = m.events
        m.blob_size = blob.shape[0]
        memset(guesses, 0, sizeof(guesses))
        with nogil:
            for i in range(-COMMAND_AHEAD, count):
                look_ahead(m, guesses, packed, i, count)
                if i < 0:
                    continue
                m.message = first + i
                m.stamp += 1
                if apply_one(m, seq + 1, at_ms, packed + i * COMMAND_SIZE, beside, &guesses[<u64>i % AHEAD]) == 0:
                    seq += 1
                elif stop:
                    count = i + 1
                    break
                if m.failed:
                    break
        if m.failed:
            raise self.owner.failure
        m.changes += 1
        if seq > m.seq:
            m.seq, m.at_ms = seq, at_ms
        return count

    def run_frame(self, i64 seq, i64 at_ms, const u8[::1] orders, const u8[::1] digests, const u8[::1] nodes,
                  bytes signature, bytes signer, u8 scheme, i64 telling, bytes amends):
        """Apply a frame that stands as record `seq`; a byte for each order, 0 or its refusal's number. Events as
        exchange.engine.telling says. `amends` are the bits of a mixed frame, whose orders the owner knows; else none."""
        cdef Memory *m = &self.m
        cdef Framed f
        cdef i64 done
        f.seq, f.at_ms, f.count, f.height = seq, at_ms, orders.shape[0] // 80, 1
        while (<i64>1 << f.height) < f.count:
            f.height += 1
        if f.count < 1 or f.height > MAX_HEIGHT or digests.shape[0] != 32 * f.count or (
            nodes.shape[0] != 32 * ((<i64>2 << f.height) - 1)
        ):
            raise ValueError("the hashes are not those of a frame")
        if len(signature) != 65 or len(signer) != 20:
            raise ValueError("a frame has a signature of 65 bytes, and a signer of 20")
        if amends and len(amends) != (f.count + 7) // 8:
            raise ValueError("a mixed frame has a bit for each order")
        f.orders, f.digests, f.nodes = &orders[0], &digests[0], &nodes[0]
        f.amends = <const u8 *>amends if amends else NULL
        set_up_frame(m, &f, signature, signer, scheme)
        m.event = m.events
        m.blob_size = sizeof(f.signature)
        m.brief, m.silent, m.selective = True, telling == 0, telling == 1
        m.outcomes = <Outcome *>grown(m.outcomes, &m.outcomes_room, f.count, sizeof(Outcome))
        with nogil:
            done = run_frame(m, &f)
        m.brief = m.silent = m.selective = False
        if m.failed:
            raise self.owner.failure
        m.changes += 1
        m.seq, m.at_ms = seq, at_ms
        return refusals(m, done)

    def events(self):
        """The packed events of the last run, EVENT_WORDS words each: a view that holds until the next run."""
        return PyMemoryView_FromMemory(<char *>self.m.events, (<char *>self.m.event - <char *>self.m.events), 0x100)

    @property
    def event_count(self):
        return (self.m.event - self.m.events) // EVENT_WORDS

    def decoded(self, commands, told):
        """The events of the last run as objects, one list for each command; None for one that was refused."""
        cdef Memory *m = &self.m
        cdef i64 at = 0, message
        cdef i64 *w
        cdef dict lists = {}
        while at < m.event - m.events:
            w = m.events + at
            message = w[0] >> 8
            if w[0] & 255 == REFUSED:
                lists[message] = None
            else:
                if message not in lists:
                    lists[message] = []
                (<list>lists[message]).append(decoded_event(m, w, commands, told))
            at += EVENT_WORDS
        return lists

    @property
    def refusal(self):
        """The number of the last event's refusal, 0 when it is none."""
        cdef i64 *w = self.m.event - EVENT_WORDS
        return w[1] if self.m.event != self.m.events and w[0] & 255 == REFUSED else 0

    # what Python does for a command

    def begin(self):
        """Begin a command that Python runs."""
        self.m.event = self.m.events
        self.m.message = 0
        self.m.stamp += 1
        self.m.record_fills = self.m.record_hashes = 0

    def end(self):
        """End it: what it dropped may be used again."""
        tell_changes(&self.m)
        free_dropped_levels(&self.m)
        self.m.changes += 1

    def tell(self, i64 first, i64 count):
        """Tell the events that stand in the owner's list."""
        cdef i64 *event
        cdef i64 place
        if self.m.silent:
            return
        for place in range(first, first + count):
            event = emit(&self.m, TOLD)
            event[1] = place

    def touch_balance(self, i32 balance):
        touch_balance(&self.m, balance)

    def touch_level(self, i32 level):
        touch_level(&self.m, level)

    def touch_account(self, i32 account):
        touch_account(&self.m, account)

    def expire(self, i64 at_ms):
        """End what has expired."""
        expire(&self.m, at_ms)
        if self.m.failed:
            raise self.owner.failure

    def work(self, i64 order_id, i64 at_ms, i64 remaining, i64 held, rates, u64 high, u64 trigger_price,
             const u8[::1] command, const u8[::1] blob, u8 flags):
        """Match an order that is accepted; its record, 0 if it does not rest then."""
        cdef Memory *m = &self.m
        cdef Incoming it
        cdef Guess guess
        self.enter(&it, &guess, order_id, remaining, rates, high, trigger_price, command, blob, flags)
        it.held = held
        cdef i64 displayed = <i64>(<u64>it.terms >> 16 | high << 48)
        cdef i32 number = work_for_python(m, at_ms, &it, displayed)
        if m.failed:
            raise self.owner.failure
        return number

    def keep(self, i64 order_id, i64 remaining, rates, u64 high, u64 trigger_price, const u8[::1] command,
             const u8[::1] blob, u8 flags):
        """Keep an order that waits, in no book; its record."""
        cdef Incoming it
        cdef Guess guess
        self.enter(&it, &guess, order_id, remaining, rates, high, trigger_price, command, blob, flags)
        self.m.changes += 1
        return shelve_outside(&self.m, &it)

    def take_out(self, i32 order):
        """Forget an order that waited; nobody is told."""
        self.m.orders[order].flags &= ~HOOKED
        drop_order(&self.m, order)
        self.m.changes += 1

    def replace_order(self, i32 order, i64 order_id, i64 remaining, i64 hidden, rates, u64 high, u64 trigger_price,
                      const u8[::1] command, const u8[::1] blob, u8 flags):
        """Put an order into the place of one that rests."""
        cdef Incoming it
        cdef Guess guess
        self.enter(&it, &guess, order_id, remaining, rates, high, trigger_price, command, blob, flags)
        it.hidden = hidden
        replace_order(&self.m, order, &it)
        self.m.changes += 1

    def set_lots(self, i32 order, i64 remaining, i64 hidden):
        """Write what remains of a resting order, and is hidden; money is the caller's."""
        cdef Order *o = &self.m.orders[order]
        self.m.levels[o.level].quantity += (remaining - hidden) - (o.remaining - o.hidden)
        o.remaining, o.hidden = remaining, hidden

    def ungroup(self, i32 order):
        """It is a leg of no group any more."""
        self.m.orders[order].flags &= ~GROUPED

    def order_id(self, i32 order):
        return self.m.orders[order].id

    cdef enter(self, Incoming *it, Guess *guess, i64 order_id, i64 remaining, rates, u64 high, u64 trigger_price,
               const u8[::1] command, const u8[::1] blob, u8 flags):
        """Read an order that is accepted."""
        cdef Memory *m = &self.m
        it.command, it.blob, it.guess = &command[0], &blob[0] if blob.shape[0] else NULL, guess
        guess_now(m, guess, it.command)
        it.book_number, it.account = guess.book, guess.account
        if it.book_number == 0 or it.account == 0:
            raise ValueError(f"order {order_id} is none")
        read_order(m, it, word(it.command, 7))
        it.hashes = 0
        if it.scheme & BULK and not measure_path(it):
            raise ValueError(f"order {order_id} has no path")
        it.id, it.remaining, it.held, it.hidden, it.earned, it.charged = order_id, remaining, 0, 0, 0, 0
        it.maker_ppm, it.taker_ppm, it.hold_ppm, it.floor, it.cap_bps = rates
        it.high, it.trigger_price = high, trigger_price
        it.flags = flags | (LONGER if it.terms >> 5 or high else 0)
        buys = it.side == BUY
        it.pays = open_balance(m, it.account, m.column_assets[it.book.quote if buys else it.book.base])
        it.gets = open_balance(m, it.account, m.column_assets[it.book.base if buys else it.book.quote])
        it.page = open_page(m, it.account, it.nonce >> 6)

    # prices that somebody waits for

    def set_due(self, bint has_due, bint has_calls):
        self.m.has_due, self.m.has_calls = has_due, has_calls

    def set_quiet(self, i32 book, bint watched, i64 low, i64 high):
        cdef Book *b = &self.m.books[book]
        b.is_watched, b.quiet_low, b.quiet_high = watched, low, high

    def quiet(self, i32 book):
        cdef Book *b = &self.m.books[book]
        return b.is_watched, b.quiet_low, b.quiet_high

    # bounds

    def set_bounds(self, i32 book, i64 collar_bps, u64 max_quantity, u64 max_notional, u64 max_open_orders,
                   u64 max_open_notional):
        cdef Book *b = &self.m.books[book]
        b.collar_bps, b.max_quantity, b.max_notional = collar_bps, max_quantity, max_notional
        b.max_open_orders, b.max_open_notional = max_open_orders, max_open_notional
        b.is_bounded = bool(max_quantity | max_notional | max_open_orders | max_open_notional) or self.is_limited(b.quote)

    def set_band(self, i32 book, i64 band_bps):
        self.m.books[book].band_bps = band_bps

    cdef bint is_limited(self, i32 column):
        """Whether some account has a limit of its own there."""
        return self.m.limited_columns >> column & 1

    def limit_account(self, i32 account, i64 max_open_orders, by_asset):
        """Give an account limits of its own, (asset, most) of those in markets; none for 0 and none."""
        cdef Memory *m = &self.m
        cdef Account *a = &m.accounts[account]
        cdef i64 book
        cdef i32 column
        a.special &= ~LIMITED
        release(a.own)
        a.own = NULL
        if max_open_orders == 0 and not by_asset:
            return
        a.own = <Own *>enlarged(NULL, sizeof(Own))
        if a.own == NULL:
            raise MemoryError("no memory left for the limits of an account")
        a.own.max_open_orders = max_open_orders
        a.special |= LIMITED
        for asset, most in by_asset:
            column = column_of(m, asset)
            if column >= 0:
                a.own.max_open_notional[column] = most
                m.limited_columns |= 1ULL << column
        for book in range(1, m.books_used):
            m.books[book].is_bounded |= self.is_limited(m.books[book].quote)

    def own_limits(self, i32 account):
        """An account's own limits: open orders, and by asset what is not 0."""
        cdef Memory *m = &self.m
        cdef Account *a = &m.accounts[account]
        if not a.special & LIMITED:
            return 0, {}
        return a.own.max_open_orders, {
            m.column_assets[i]: a.own.max_open_notional[i] for i in range(m.columns_used) if a.own.max_open_notional[i]
        }

    def open_in(self, i32 account, i32 book, i32 besides):
        """How many orders an account has open in a market, but for one, and the sum of their notionals."""
        cdef Sum total
        count = sum_open(&self.m, account, book, besides, &total)
        return count, int(total.high) << 64 | total.low

    # counters

    @property
    def seq(self): return self.m.seq
    @seq.setter
    def seq(self, i64 value): self.m.seq = value

    @property
    def at_ms(self): return self.m.at_ms
    @at_ms.setter
    def at_ms(self, i64 value): self.m.at_ms = value

    @property
    def last_trade(self): return self.m.last_trade
    @last_trade.setter
    def last_trade(self, i64 value): self.m.last_trade = value

    @property
    def oldest(self): return self.m.oldest
    @oldest.setter
    def oldest(self, i64 value): self.m.oldest = value

    @property
    def changes(self): return self.m.changes

    @property
    def open_count(self): return self.m.open_count

    def set_limits(self, i64 max_unsettled_ms, i64 max_open_orders, i64 max_fills):
        self.m.max_unsettled_ms, self.m.max_open_orders = max_unsettled_ms, max_open_orders
        self.m.max_fills = max_fills

    def set_fee_cap(self, i64 fee_cap_bps):
        self.m.fee_cap_bps = fee_cap_bps

    # accounts

    def open_account(self, bytes address):
        return new_account(&self.m, <const u8 *>address)

    def account(self, i32 account):
        cdef Account *a = &self.m.accounts[account]
        return a.min_nonce, a.top_nonce, a.deficits, a.exiting, a.frozen, a.open_orders

    def set_account(self, i32 account, u64 min_nonce, u64 top_nonce, i32 deficits, bint exiting, bint frozen):
        cdef Account *a = &self.m.accounts[account]
        a.min_nonce, a.top_nonce, a.deficits, a.exiting, a.frozen = min_nonce, top_nonce, deficits, exiting, frozen

    def set_followed(self, i32 account, bint followed):
        if 0 < account < self.m.accounts_used:
            self.m.accounts[account].followed = followed

    def set_revokes(self, i32 account, bint revokes):
        cdef Account *a = &self.m.accounts[account]
        a.special = a.special & ~REVOKES | (REVOKES if revokes else 0)

    def set_stops(self, i32 account, bint stops):
        self.m.accounts[account].stops = stops

    def countdown(self, i32 account):
        return self.m.accounts[account].countdown

    def set_countdown(self, i32 account, i64 at):
        self.m.accounts[account].countdown = at

    def watch_countdown(self, i32 account):
        """Have the account's countdown end in its time."""
        await_expiry(&self.m, self.m.accounts[account].countdown, -account, 0)

    def set_tier(self, i32 account, i32 tier):
        self.m.accounts[account].tier = tier

    def use_nonce(self, i32 account, u64 nonce):
        use_nonce(&self.m, account, nonce)
        self.m.changes += 1

    def nonce_used(self, i32 account, u64 nonce):
        return nonce_used(&self.m, account, nonce)

    def nonce_words(self):
        """Per account the used nonces, 64 to a word."""
        cdef dict accounts = {}
        cdef i64 i
        for i in range(self.m.pages_room):
            if self.m.pages[i].account and self.m.pages[i].used:
                accounts.setdefault(self.m.pages[i].account, {})[self.m.pages[i].number] = self.m.pages[i].used
        return accounts

    def set_nonce_word(self, i32 account, u64 number, u64 word):
        open_page(&self.m, account, number).used = word

    def order_of_hash(self, i32 account, bytes order_hash):
        return order_of_hash(&self.m.accounts[account], <const u8 *>order_hash) if len(order_hash) == 32 else 0

    def hashes(self, i32 account, bint old):
        cdef Account *a = &self.m.accounts[account]
        cdef i32 count = old_count(a) if old else a.young_count, i
        cdef Known *known = knowns(a.old, a.old_room) if old else knowns(a.young, a.young_room)
        return {(<char *>known[i].order_hash)[:32]: known[i].order_id for i in range(count)}

    def remember_hash(self, i32 account, bytes order_hash, i64 order_id):
        remember(&self.m, &self.m.accounts[account], <const u8 *>order_hash, order_id, hash_of_hash(<const u8 *>order_hash))

    # balances

    def find_balance(self, i32 account, uint32_t asset):
        return find_balance(&self.m, account, asset)

    def open_balance(self, i32 account, uint32_t asset):
        return open_balance(&self.m, account, asset)

    def balances_of(self, i32 account):
        cdef i32 balance = self.m.accounts[account].first_balance
        found = []
        while balance:
            found.append((self.m.balances[balance].asset, balance))
            balance = self.m.next_balance[balance]
        return found

    def owner_of(self, i32 balance):
        return self.m.balances[balance].account, self.m.balances[balance].asset

    def part(self, i32 balance, i32 part):
        return (<i64 *>&self.m.balances[balance])[part]

    def set_part(self, i32 balance, i32 part, i64 value):
        (<i64 *>&self.m.balances[balance])[part] = value

    def mass(self):
        """Per asset, the sum of every part of every balance."""
        cdef Sum *sums = NULL
        cdef i64 used = 0, room = 0, i, at = 0, part
        for i in range(1, self.m.balances_used):
            if at == used or sums[at].asset != self.m.balances[i].asset:
                at = 0
                while at < used and sums[at].asset != self.m.balances[i].asset:
                    at += 1
                if at == used:
                    sums = <Sum *>grown(sums, &room, used + 1, sizeof(Sum))
                    sums[at].asset = self.m.balances[i].asset
                    used += 1
            for part in range(PARTS):
                add_to_sum(&sums[at], (<u64 *>&self.m.balances[i])[part])
        found = {sums[i].asset: int(sums[i].high) << 64 | sums[i].low for i in range(used)}
        release(sums)
        return found

    def deficits(self, uint32_t asset):
        """The sum of the asset's deficits."""
        total = 0
        cdef i64 i
        for i in range(1, self.m.balances_used):
            if self.m.balances[i].deficit and self.m.balances[i].asset == asset:
                total += self.m.balances[i].deficit
        return total

    # books

    def add_book(self, i64 market, uint32_t base, uint32_t quote, i64 lot_size, i64 tick_size, i64 min_notional,
                 i64 band_bps, i64 last_price, i32 fees):
        """The new book's number, 0 when there is no column for its assets."""
        cdef Memory *m = &self.m
        cdef i32 base_column = add_column(m, base), quote_column = add_column(m, quote)
        if base_column < 0 or quote_column < 0:
            return 0
        cdef i64 number = m.books_used
        m.books = <Book *>grown(m.books, &m.books_room, number + 1, sizeof(Book))
        m.books_used += 1
        cdef Book *book = &m.books[number]
        book.market, book.lot_size, book.tick_size, book.min_notional = market, lot_size, tick_size, min_notional
        book.band_bps, book.last_price, book.base, book.quote = band_bps, last_price, base_column, quote_column
        book.fees = fees
        book.tick_zeros = trailing_zeros(<u64>tick_size)
        book.tick_inverse = inverse_of(<u64>tick_size >> book.tick_zeros)
        book.halves[0].sign, book.halves[1].sign = 1, -1
        book.halves[0].best = book.halves[1].best = NO_PRICE
        return number

    def set_status(self, i32 book, bint is_open, bint in_call):
        self.m.books[book].is_open, self.m.books[book].in_call = is_open, in_call

    def set_call_end(self, i32 book, i64 at):
        self.m.books[book].call_ends = at

    def call(self, i32 book):
        """Whether orders gather, and until when."""
        return self.m.books[book].in_call, self.m.books[book].call_ends

    def set_rates(self, i32 book, i32 tier, i32 kind, i64 maker, i64 taker, i64 highest, i64 floor):
        cdef i64 *rates = self.m.books[book].rates[tier][kind]
        rates[0], rates[1], rates[2], rates[3] = maker, taker, highest, floor

    def last_price(self, i32 book):
        return self.m.books[book].last_price

    def set_last_price(self, i32 book, i64 price):
        self.m.books[book].last_price = price

    def levels(self, i32 book, i32 side):
        """(key, level, price, quantity) of a side, best first."""
        cdef Half *half = &self.m.books[book].halves[side]
        cdef i32 number = half.top
        cdef Level *level
        found = []
        while number:
            level = &self.m.levels[number]
            found.append((half.sign * level.price, number, level.price, level.quantity))
            number = worse_level(&self.m, number)
        return found

    def best(self, i32 book, i32 side):
        """The best price of a side, negated of the asks; less than all for none."""
        return self.m.books[book].halves[side].best

    def first_order(self, i32 book, i32 side):
        """The first order at it."""
        return self.m.levels[self.m.books[book].halves[side].top].head

    def interest(self, i32 book, i32 side):
        """Each price of a side and all its lots, hidden ones too, best first."""
        cdef i32 number = self.m.books[book].halves[side].top, order
        cdef i64 lots
        found = []
        while number:
            lots, order = 0, self.m.levels[number].head
            while order:
                lots += self.m.orders[order].remaining
                order = self.m.orders[order].next
            found.append((self.m.levels[number].price, lots))
            number = worse_level(&self.m, number)
        return found

    def level(self, i32 level):
        cdef Level *found = &self.m.levels[level]
        return found.book, found.side, found.price, found.quantity

    def level_orders(self, i32 level):
        cdef i32 order = self.m.levels[level].head
        found = []
        while order:
            found.append(order)
            order = self.m.orders[order].next
        return found

    # open orders

    def order(self, i32 order):
        cdef Order *o = &self.m.orders[order]
        cdef Paper *p = &self.m.papers[order]
        cdef Book *book = &self.m.books[book_of(&self.m, order)]
        cdef u64 *rest = rest_of_paper(p)
        held = hold_of(book, o, p.price, o.remaining) if o.level else hold_waiting(&self.m, order)
        cdef u64 high = rest[0] if o.flags & LONGER else 0, trigger_price = rest[1] if o.flags & LONGER else 0
        terms = int(high) << 64 | <u64>p.terms
        return (o.id, o.account, book.market, o.side, p.price, p.quantity, o.remaining, held, o.hidden, p.nonce, p.expiry,
                trigger_price, p.max_fee_bps, terms, p.scheme, o.maker_ppm, p.taker_ppm, o.hold_ppm, p.floor, p.cap_bps,
                o.level)

    def paper(self, i32 order):
        """Hash, signature, signer and client's id, as bytes."""
        cdef Paper *paper = &self.m.papers[order]
        cdef char *inside = <char *>(extra_of(paper)[0] if self.m.orders[order].flags & APART else paper.inside)
        cdef i64 size = paper.signature_size
        return ((<char *>paper.order_hash)[:32], inside[:size], (<char *>paper.signer)[:20],
                inside[size:size + paper.client_id_size])

    def open_orders(self):
        """The ids of all open orders and their records, in order of acceptance."""
        cdef i64 i
        return by_age([(self.m.orders[i].id, i) for i in range(1, self.m.orders_used) if self.m.orders[i].id])

    def orders_of(self, i32 account):
        """The open orders of an account, likewise."""
        cdef i32 block = self.m.accounts[account].first_block, order
        cdef i64 i
        found = []
        while block:
            for i in range(8):
                order = self.m.blocks[block].slots[i]
                if order:
                    found.append((self.m.orders[order].id, order))
            block = self.m.blocks[block].next
        return by_age(found)

    def order_on(self, i32 account, u64 nonce):
        return order_on(&self.m, account, nonce)

    def drop_order(self, i32 order):
        """Take an order out of its book and forget it; money is the caller's."""
        drop_order(&self.m, order)
        self.m.changes += 1

    def adopt_order(self, i64 order_id, i64 remaining, i64 hidden, rates, u64 high, u64 trigger_price,
                    const u8[::1] command, const u8[::1] blob, u8 flags):
        """Enter an order that rests already; its hold is in the balances."""
        cdef Incoming it
        cdef Guess guess
        self.enter(&it, &guess, order_id, remaining, rates, high, trigger_price, command, blob, flags)
        if it.price < 1 or it.price % it.book.tick_size:
            raise ValueError(f"order {order_id} is between two ticks")
        it.hidden = hidden
        shelve(&self.m, &it)

    def next_expiry(self):
        """When the next open order expires, or the next countdown ends, -1 when there is none."""
        drop_stale_expiries(&self.m)
        return self.m.soonest if self.m.second_heap_used else -1

    # trades

    @property
    def trade_count(self): return self.m.trades_count

    def has_trade(self, i64 trade_id):
        cdef i64 at = trade_id - self.m.first_trade
        return self.m.trades_start <= at < self.m.trades_used and not self.m.trades[at].gone

    def trade(self, i64 trade_id):
        """The fields of a trade, in the order of TradeMatched after its id, then its time."""
        cdef Trade *t = &self.m.trades[trade_id - self.m.first_trade]
        return (self.m.books[t.book].market, t.price, t.lots, t.price * t.lots, t.side, t.maker_order, t.seq,
                t.maker_account, t.taker_account, t.maker_fee, t.taker_fee, t.maker_remaining, t.taker_remaining), t.at_ms

    def trade_records(self, i64 first):
        """The records of the trades from an id on, TRADE_SIZE bytes each: a view that holds until the next command."""
        cdef Memory *m = &self.m
        cdef i64 at = max(first - m.first_trade, m.trades_start)
        return PyMemoryView_FromMemory(<char *>(m.trades + at), max(m.trades_used - at, 0) * sizeof(Trade), 0x100)

    def trade_ids(self):
        """An iterator over the trades there are, oldest first."""
        cdef i64 at = self.m.trades_start
        while at < self.m.trades_used:
            if not self.m.trades[at].gone:
                yield self.m.first_trade + at
            at += 1

    def drop_trade(self, i64 trade_id):
        cdef Memory *m = &self.m
        m.trades[trade_id - m.first_trade].gone = 1
        m.trades_count -= 1
        while m.trades_start < m.trades_used and m.trades[m.trades_start].gone:
            m.trades_start += 1
        if m.trades_start > 4_096 and 2 * m.trades_start > m.trades_used:
            memmove(m.trades, m.trades + m.trades_start, (m.trades_used - m.trades_start) * sizeof(Trade))
            m.first_trade += m.trades_start
            m.trades_used -= m.trades_start
            m.trades_start = 0

    def adopt_trade(self, i64 trade_id, i64 at_ms, i32 book, i64 price, i64 lots, i64 side, i64 maker_order, i64 seq,
                    i32 maker, i32 taker, i64 maker_fee, i64 taker_fee, i64 maker_remaining, i64 taker_remaining):
        """Enter a trade that is not final; the ids of those before it that are missing are gone."""
        cdef Memory *m = &self.m
        if m.trades_used == 0:
            m.first_trade = trade_id
        cdef i64 at = trade_id - m.first_trade
        m.trades = <Trade *>grown(m.trades, &m.trades_room, at + 1, sizeof(Trade))
        while m.trades_used < at:
            m.trades[m.trades_used].gone = 1
            m.trades_used += 1
        cdef Trade *t = &m.trades[at]
        t.seq, t.at_ms, t.price, t.lots, t.side, t.gone = seq, at_ms, price, lots, <u8>side, 0
        t.maker_order, t.maker_fee, t.taker_fee = maker_order, maker_fee, taker_fee
        t.maker_remaining, t.taker_remaining = maker_remaining, taker_remaining
        t.maker_account, t.taker_account, t.book = maker, taker, book
        m.trades_used += 1
        m.trades_count += 1

    def end_adoption(self):
        """The next trade follows the last one, whatever became of it."""
        cdef Memory *m = &self.m
        if m.trades_used == 0:
            m.first_trade = m.last_trade + 1
            return
        cdef i64 end = m.last_trade + 1 - m.first_trade
        m.trades = <Trade *>grown(m.trades, &m.trades_room, end + 1, sizeof(Trade))
        while m.trades_used < end:
            m.trades[m.trades_used].gone = 1
            m.trades_used += 1


cdef list by_age(list orders):
    """Ids and records in order of acceptance: by sequence, then by place in a frame."""
    orders.sort(key=lambda found: (found[0] & 0xFFFFFFFFFF, found[0]))
    return orders


cdef object decoded_event(Memory *m, i64 *w, commands, told):
    """One packed event as an object."""
    cdef i64 kind = w[0] & 255
    if kind == MATCHED:
        return TradeMatched(
            w[1], w[2] >> 1, w[3], w[4], w[3] * w[4], w[2] & 1, w[5], taker_of(m, w), w[6] >> 32, w[6] & 0xFFFFFFFF,
            w[7], w[8], w[9], w[10])
    if kind == BALANCE:
        return BalanceChanged(w[1], w[2], w[3], w[4], w[5], w[6], w[7])
    if kind == LEVEL:
        return LevelChanged(w[1], w[2], w[3], w[4])
    if kind == CLOSED:
        return OrderClosed(w[1], w[2], w[3], REASONS[w[4]], w[5])
    if kind == ACCEPTED:
        return accepted(w, commands[w[0] >> 8])
    if kind == REDUCED:
        return OrderReduced(w[1], w[2], w[3], w[4], w[5])
    if kind == ACCOUNT:
        return AccountChanged(w[1], STATUSES[w[2]], <u64>w[3])
    return told[w[1]]


cdef inline i64 taker_of(Memory *m, i64 *w) noexcept:
    """A trade's taker has the number of its record."""
    return m.trades[w[1] - m.first_trade].seq


cdef object accepted(i64 *w, placed):
    """An order's acceptance, with what its command says."""
    order = placed.order
    return OrderAccepted(
        w[1], w[2], order.market, order.side, order.price, order.quantity, order.nonce, order.expiry,
        order.max_fee_bps, order.terms, placed.order_hash, placed.client_order_id, placed.scheme, placed.signature,
        placed.signer, w[3], w[4], w[5])


include "alone.pxi"

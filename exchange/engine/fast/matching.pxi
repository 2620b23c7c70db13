# Placing and cancelling: exchange.engine.matcher and control over records, step by step in the same order.

cdef enum:              # the places of the reasons in core.pyx
    FILLED = 0
    CANCELLED = 1
    EXPIRED_NOW = 2
    UNFILLED = 3
    FOK_UNFILLED = 4
    POST_ONLY_WOULD_TAKE = 5
    SELF_TRADE = 6
    TOO_MANY_FILLS = 7
    UNSETTLED_LIMIT = 8
    OPEN = 9            # no reason: the order rests


cdef inline void tell_closed(Memory *m, Order *o, i64 reason) noexcept nogil:
    cdef i64 *event = emit(m, CLOSED)
    event[1] = o.id
    event[2] = o.account
    event[3] = m.books[o.book].market
    event[4] = reason
    event[5] = o.remaining


cdef inline void close_order(Memory *m, i32 order, i64 reason) noexcept nogil:
    """Take a resting order out of its book and release its hold."""
    cdef Order *o = &m.orders[order]
    cdef i64 held = o.held
    cdef i32 pays = o.pays
    touch_level(m, o.level)
    tell_closed(m, o, reason)
    drop_order(m, order)
    m.balances[pays].held -= held
    give(m, pays, held)


cdef void expire(Memory *m, i64 at_ms) noexcept nogil:
    """Close every order whose expiry has come, in order of expiry, then of acceptance; end countdowns likewise."""
    cdef Expiry due
    while m.expiries_used and m.expiries[0].expiry * 1_000 <= at_ms:
        due = m.expiries[0]
        pop_expiry(m)
        if not is_awaited(m, &due):
            continue
        if due.id > 0:
            close_order(m, <i32>due.order, EXPIRED_NOW)
        else:
            with gil:
                end_countdown(m, -due.id)


cdef inline i32 place(Memory *m, i64 number, i64 at_ms, const u8 *command, const u8 *blob) noexcept nogil:
    """Accept and match an order; returns the refusal's number, 0 when it was accepted."""
    cdef Incoming it
    it.command, it.blob = command, blob
    it.order.id = number
    cdef i32 refusal = check(m, at_ms, &it)
    if refusal:
        return refusal
    if m.expiries_used and m.expiries[0].expiry * 1_000 <= at_ms:
        expire(m, at_ms)
    accept(m, &it)
    cdef i64 reason = work(m, at_ms, &it)
    if reason == OPEN:
        rest(m, &it)
    else:
        tell_closed(m, &it.order, reason)
    return 0


cdef inline void accept(Memory *m, Incoming *it) noexcept nogil:
    """Record the order as taken: its nonce, its hash and its client's id are used from now on."""
    cdef Order *o = &it.order
    cdef Account *account = &m.accounts[o.account]
    cdef u64 sequence = o.nonce & ~SINGLE_FILL
    o.remaining = o.quantity
    o.maker_ppm, o.taker_ppm, o.hold_ppm = <i32>it.rates[0], <i32>it.rates[1], <i32>it.rates[2]
    o.floor = it.rates[3]
    o.cap_bps = o.max_fee_bps if o.max_fee_bps < m.fee_cap_bps else <i32>m.fee_cap_bps
    it.earned, it.charged = 0, 0
    if unlikely(o.gets == 0):
        o.gets = open_balance(m, o.account, m.column_assets[it.book.base if o.side == BUY else it.book.quote])
    use_nonce(m, o.account, o.nonce)
    if sequence > account.top_nonce and memcmp(it.command + SIGNER, it.command + ACCOUNT_AT, 20) == 0:
        account.top_nonce = sequence
    remember(account, it.command + ORDER_HASH, o.id)
    if unlikely(client_id_size(it.command)):
        note_client_id(m, it)
    cdef i64 *event = emit(m, ACCEPTED)
    event[1] = o.id
    event[2] = o.account
    event[3] = o.maker_ppm
    event[4] = o.taker_ppm
    event[5] = o.floor


cdef inline i64 work(Memory *m, i64 at_ms, Incoming *it) noexcept nogil:
    """Match the order as its terms say. Returns why it ends now, or OPEN."""
    cdef Order *o = &it.order
    cdef Half *half = &it.book.halves[1 - o.side]
    cdef i64 reason
    if half.count and half.keys[half.count - 1] >= half.sign * o.price:
        if o.terms & POST_ONLY:
            return POST_ONLY_WOULD_TAKE
        if (o.terms & TIME_IN_FORCE) == FOK:
            reason = obstacle(m, it, half)
            if reason != OPEN:
                return reason
        reason = meet(m, at_ms, it, half)
        if reason != OPEN:
            return reason
    if rests(o.terms):
        return OPEN
    return FOK_UNFILLED if (o.terms & TIME_IN_FORCE) == FOK else UNFILLED


cdef inline i64 room_for_fills(Memory *m) noexcept nogil:
    """How many orders an order may still meet: its record settles in one batch."""
    return m.max_fills - m.record_fills if m.max_fills > m.record_fills else 0


cdef i64 obstacle(Memory *m, Incoming *it, Half *half) noexcept nogil:
    """What keeps an all-or-none order from being filled at once; OPEN if nothing does."""
    cdef Order *o = &it.order
    cdef Order *maker
    cdef i64 missing = o.remaining, fills = 0, quote = 0, lots, taken = 0, unit = 1
    cdef i64 fills_left = room_for_fills(m), hashes_left = MAX_PROOFS - m.record_hashes - o.hashes
    cdef i32 at = half.count - 1, number
    while at >= 0 and half.keys[at] >= half.sign * o.price:
        number = m.levels[half.levels[at]].head
        if o.by_quote:
            unit = m.levels[half.levels[at]].price
            if missing < unit:
                return OPEN
        while number:
            maker = &m.orders[number]
            if maker.account == o.account:
                if self_trade(o.terms) != CANCEL_MAKER:
                    return SELF_TRADE
                number = maker.next
                continue
            fills += 1
            hashes_left -= maker.hashes
            if fills > fills_left or hashes_left < 0:
                return TOO_MANY_FILLS
            lots = most_lots(o, missing, unit, maker)
            taken += lots
            if exceeds(quote, lots * maker.price) or product(taken, it.book.lot_size) < 0:
                return UNSETTLED_LIMIT
            quote += lots * maker.price
            if beyond(m, it, maker, taken, quote):
                return UNSETTLED_LIMIT
            missing -= lots * unit
            if missing < unit:
                return OPEN
            number = maker.next
        at -= 1
    return FOK_UNFILLED


cdef inline i64 most_lots(Order *o, i64 missing, i64 unit, Order *maker) noexcept nogil:
    """As many lots as both have; one lot takes `unit` off what the taker has: of an amount of quote, its price."""
    cdef i64 lots = missing // unit if o.by_quote else missing
    return lots if lots < maker.remaining else maker.remaining


cdef inline i64 meet(Memory *m, i64 at_ms, Incoming *it, Half *half) noexcept nogil:
    """Fill the order from the best levels on; OPEN when it remains open and meets nobody any more."""
    cdef Order *o = &it.order
    cdef Order *maker
    cdef i64 limit = half.sign * o.price, unit = 1, lots, blocked
    cdef i64 fills_left = room_for_fills(m), hashes_left = MAX_PROOFS - m.record_hashes - o.hashes
    cdef bint met = False
    cdef i32 number
    while half.count and half.keys[half.count - 1] >= limit:
        number = m.levels[half.levels[half.count - 1]].head
        maker = &m.orders[number]
        if o.by_quote:
            unit = maker.price
            if o.remaining < unit:
                return FILLED
        if unlikely(maker.account == o.account):
            if meet_own(m, it, number, unit):
                return SELF_TRADE
            continue
        if fills_left == 0 or maker.hashes > hashes_left:
            return TOO_MANY_FILLS
        fills_left -= 1
        hashes_left -= maker.hashes
        m.record_fills += 1 if met else 2
        m.record_hashes += maker.hashes if met else maker.hashes + o.hashes
        met = True
        lots = most_lots(o, o.remaining, unit, maker)
        blocked = beyond(m, it, maker, lots, lots * maker.price)
        if unlikely(blocked):
            if blocked == 1:
                return UNSETTLED_LIMIT
            close_order(m, number, UNSETTLED_LIMIT)
            continue
        fill(m, at_ms, it, number, lots, unit)
        if o.remaining < unit:
            return FILLED
    return OPEN


cdef bint meet_own(Memory *m, Incoming *it, i32 number, i64 unit) noexcept nogil:
    """Keep an order from trading with its own account, in the way that its terms say; whether it ends."""
    cdef Order *o = &it.order
    cdef Order *maker = &m.orders[number]
    cdef i64 mode = self_trade(o.terms), lots
    if mode == DECREMENT:
        lots = most_lots(o, o.remaining, unit, maker)
        reduce_order(m, number, lots)
        o.remaining -= lots * unit
        tell_reduced(m, o, lots * unit)
        if maker.remaining == 0:
            close_order(m, number, SELF_TRADE)
        return o.remaining < unit
    if mode != CANCEL_TAKER:
        close_order(m, number, SELF_TRADE)
    return mode != CANCEL_MAKER


cdef inline i64 hold_of(Book *book, Order *o) noexcept nogil:
    """What backs all that remains of an order."""
    return with_fee(o.price * o.remaining, o.hold_ppm) if o.side == BUY else o.remaining * book.lot_size


cdef void reduce_order(Memory *m, i32 number, i64 lots) noexcept nogil:
    """Lower what remains of a resting order, and release what backed it. It keeps its place."""
    cdef Order *o = &m.orders[number]
    cdef i64 held = o.held
    m.levels[o.level].quantity -= lots
    touch_level(m, o.level)
    o.remaining -= lots
    o.held = hold_of(&m.books[o.book], o)
    m.balances[o.pays].held -= held - o.held
    tell_reduced(m, o, lots)
    give(m, o.pays, held - o.held)


cdef void tell_reduced(Memory *m, Order *o, i64 lots) noexcept nogil:
    cdef i64 *event = emit(m, REDUCED)
    event[1] = o.id
    event[2] = o.account
    event[3] = m.books[o.book].market
    event[4] = lots
    event[5] = o.remaining


cdef inline i64 beyond(Memory *m, Incoming *it, Order *maker, i64 lots, i64 quote) noexcept nogil:
    """Who cannot trade this much, because what is unsettled would exceed what the ledger counts: 1 the taker, 2 the
    maker, 0 nobody. A trade brings one balance at most twice its quote: proceeds and both fees."""
    cdef i64 base = lots * it.book.lot_size
    cdef bint buys = it.order.side == BUY
    if quote > (MAX_AMOUNT >> 1):
        if not buys:
            return 2 if exceeds(m.balances[maker.gets].unsettled, base) else 1
        return 2
    quote *= 2
    if exceeds(m.balances[maker.gets].unsettled, quote if buys else base):
        return 2
    if exceeds(m.balances[it.order.gets].unsettled, base if buys else quote):
        return 1
    return 1 if exceeds(m.balances[it.book.fees].unsettled, quote) else 0


cdef inline i64 charge(Incoming *it, i64 quote) noexcept nogil:
    """The taker's fee of the next fill."""
    cdef Order *o = &it.order
    it.earned += part_of(quote, o.taker_ppm, PPM)
    cdef i64 due = (it.earned if it.earned > o.floor else o.floor) - it.charged
    cdef i64 most = part_of(quote, o.cap_bps, BPS)
    if most < due:
        due = most
    it.charged += due
    return due


cdef inline void fill(Memory *m, i64 at_ms, Incoming *it, i32 number, i64 lots, i64 unit) noexcept nogil:
    """One trade, at the maker's price."""
    cdef Order *maker = &m.orders[number]
    cdef i64 quote = maker.price * lots
    cdef i64 maker_fee = part_of(quote, maker.maker_ppm, PPM), taker_fee = charge(it, quote)
    it.order.remaining -= lots * unit
    maker.remaining -= lots
    m.levels[maker.level].quantity -= lots
    touch_level(m, maker.level)
    it.book.last_price = maker.price
    pay(m, it, maker, lots, quote, maker_fee, taker_fee)
    record(m, at_ms, it, maker, lots, maker_fee, taker_fee)
    if maker.remaining == 0:
        close_order(m, number, FILLED)


cdef inline void pay(Memory *m, Incoming *it, Order *maker, i64 lots, i64 quote, i64 maker_fee, i64 taker_fee) noexcept nogil:
    """Move the money of one trade; the sums of base and of quote stay what they were."""
    cdef i64 base = lots * it.book.lot_size, held, released
    cdef Balance *pays = &m.balances[it.order.pays]
    if it.order.side == BUY:
        pays.available -= quote + taker_fee
        maker.held -= base
        m.balances[maker.pays].held -= base
        touch_balance(m, it.order.pays)
        touch_balance(m, maker.pays)
        bring(m, it.order.gets, base)
        bring(m, maker.gets, quote - maker_fee)
    else:
        pays.available -= base
        held = with_fee(maker.price * maker.remaining, maker.hold_ppm)
        released = maker.held - held
        maker.held = held
        m.balances[maker.pays].held -= released
        if released != quote + maker_fee:
            give(m, maker.pays, released - quote - maker_fee)
        touch_balance(m, it.order.pays)
        touch_balance(m, maker.pays)
        bring(m, it.order.gets, quote - taker_fee)
        bring(m, maker.gets, base)
    bring(m, it.book.fees, maker_fee + taker_fee)


cdef inline void bring(Memory *m, i32 balance, i64 amount) noexcept nogil:
    m.balances[balance].unsettled += amount
    give(m, balance, amount)


cdef inline void record(Memory *m, i64 at_ms, Incoming *it, Order *maker, i64 lots, i64 maker_fee, i64 taker_fee) noexcept nogil:
    """Keep and tell the trade."""
    cdef i64 at = m.trades_used
    if unlikely(at == m.trades_room):
        m.trades = <Trade *>grown(m.trades, &m.trades_room, at + 1, sizeof(Trade))
    cdef Trade *trade = &m.trades[at]
    m.trades_used += 1
    m.trades_count += 1
    m.last_trade += 1
    trade.seq, trade.at_ms, trade.price, trade.lots = it.order.id, at_ms, maker.price, lots
    trade.maker_order, trade.maker_fee, trade.taker_fee = maker.id, maker_fee, taker_fee
    trade.maker_remaining, trade.taker_remaining = maker.remaining, it.order.remaining
    trade.maker_account, trade.taker_account, trade.book = maker.account, it.order.account, it.order.book
    trade.side, trade.gone = it.order.side, 0
    if m.oldest < 0:
        m.oldest = at_ms
    tell_trade(m, m.last_trade, trade)


cdef inline void tell_trade(Memory *m, i64 trade_id, Trade *trade) noexcept nogil:
    cdef i64 *event = emit(m, MATCHED)
    event[1] = trade_id
    event[2] = m.books[trade.book].market << 1 | trade.side
    event[3] = trade.price
    event[4] = trade.lots
    event[5] = trade.maker_order
    event[6] = <i64>trade.maker_account << 32 | trade.taker_account
    event[7] = trade.maker_fee
    event[8] = trade.taker_fee
    event[9] = trade.maker_remaining
    event[10] = trade.taker_remaining


cdef inline void rest(Memory *m, Incoming *it) noexcept nogil:
    """Put what remains of an accepted order into its book, backed by its hold."""
    cdef Order *o = &it.order
    cdef i64 held = hold_of(it.book, o)
    cdef i32 number = new_order(m)
    o.held = held
    m.balances[o.pays].available -= held
    m.balances[o.pays].held += held
    touch_balance(m, o.pays)
    m.orders[number] = o[0]
    keep_paper(m, number, it.command, it.blob)
    shelve(m, number)
    touch_level(m, m.orders[number].level)


cdef inline void shelve(Memory *m, i32 number) noexcept nogil:
    """Enter an open order wherever it is looked for."""
    cdef Order *o = &m.orders[number]
    queue_order(m, number)
    o.block = put_on_nonce(m, o.account, o.nonce, number)
    m.accounts[o.account].open_orders += 1
    push_expiry(m, number)


cdef inline i32 cancel(Memory *m, const u8 *command) noexcept nogil:
    """Cancel one open order by its nonce; returns the refusal's number, 0 when it was cancelled."""
    cdef i32 account = find_account(m, command + ACCOUNT_AT), order
    cdef u64 nonce = <u64>word(command, 3)
    if account == 0:
        return UNKNOWN_ACCOUNT
    if unlikely(m.accounts[account].revokes) and is_revoked(m, account, command + SIGNER):
        return UNKNOWN_DELEGATE
    order = order_on(m, account, nonce)
    if order:
        close_order(m, order, CANCELLED)
        return 0
    return ORDER_CLOSED if nonce_used(m, account, nonce) else UNKNOWN_ORDER

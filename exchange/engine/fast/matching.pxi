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
    PRICE_COLLAR = 9
    OPEN = 10           # no reason: the order rests
    GO_ON = 11          # neither: there is more to see
    AMENDED = 12


cdef inline void tell_closed(Memory *m, i64 order_id, i32 account, i64 market, i64 reason, i64 remaining) noexcept nogil:
    cdef i64 *event
    if not is_told_of(m, account):
        return
    event = emit(m, CLOSED)
    event[1] = order_id
    event[2] = account
    event[3] = market
    event[4] = reason
    event[5] = remaining


cdef inline void note_outcome(Memory *m, i64 reason, i64 remaining) noexcept nogil:
    cdef Outcome *outcome
    if not m.brief:
        return
    outcome = &m.outcomes[m.message]
    outcome.refusal, outcome.reason, outcome.remaining = 0, <i32>reason, remaining


cdef inline void close_order(Memory *m, i32 order, i64 reason) noexcept nogil:
    """Take a resting order out of its book and release its hold."""
    cdef Order *o = &m.orders[order]
    cdef Level *level = &m.levels[o.level]
    cdef Book *book = &m.books[level.book]
    cdef i64 held = hold_of(book, o, level.price, o.remaining)
    cdef i32 pays = o.pays
    if unlikely(o.flags) and close_flagged(m, order, reason):
        return
    touch_level(m, o.level)
    tell_closed(m, o.id, o.account, book.market, reason, o.remaining)
    drop_order(m, order)
    m.balances[pays].held -= held
    give(m, pays, held)


cdef inline void close_filled(Memory *m, i32 order) noexcept nogil:
    """The same of an order that a trade has just used up, and touched: it holds nothing any more."""
    cdef Order *o = &m.orders[order]
    if unlikely(o.flags) and close_flagged(m, order, FILLED):
        return
    tell_closed(m, o.id, o.account, m.books[m.levels[o.level].book].market, FILLED, 0)
    drop_order(m, order)


cdef void expire(Memory *m, i64 at_ms) noexcept nogil:
    """Close every order whose expiry has come, in order of expiry, then of id; end countdowns likewise."""
    cdef i32 second
    cdef i64 i, key
    cdef Expiry due
    while m.soonest * 1_000 <= at_ms:
        if is_span(m.seconds[m.second_heap[0]].key):
            split_span(m)
            continue
        second = pop_second(m)
        key = m.seconds[second].key
        qsort(m.seconds[second].expiries, m.seconds[second].used, sizeof(Expiry), by_id)
        for i in range(m.seconds[second].used):
            due = m.seconds[second].expiries[i]
            if not is_awaited(m, key, &due):
                continue
            if due.id > 0:
                close_order(m, due.order, EXPIRED_NOW)
            else:
                with gil:
                    end_countdown(m, -due.id)
        free_second(m, second)


cdef int by_id(const void *a, const void *b) noexcept nogil:
    cdef i64 one = (<const Expiry *>a).id, other = (<const Expiry *>b).id
    return (one > other) - (one < other)


cdef inline i32 place(Memory *m, i64 number, i64 at_ms, const u8 *command, const u8 *blob, Guess *guess) noexcept nogil:
    """Accept and match an order; returns the refusal's number, 0 when it was accepted."""
    cdef Incoming it
    cdef i64 since = m.trades_used
    it.command, it.blob, it.guess = command, blob, guess
    it.id = number
    if not is_whole(m, command):
        return NO_COMMAND
    if unlikely(m.has_due) and is_others_turn(m, at_ms):
        return UNAVAILABLE
    cdef i32 refusal = check(m, at_ms, &it, 0)
    if refusal:
        return refusal
    if unlikely(m.soonest * 1_000 <= at_ms):
        expire(m, at_ms)
        it.page = find_page(m, it.account, it.nonce >> 6)
    accept(m, &it)
    cdef i64 reason = work(m, at_ms, &it)
    note_outcome(m, reason, it.remaining)
    if reason == OPEN:
        rest(m, &it)
    else:
        tell_closed(m, it.id, it.account, it.book.market, reason, it.remaining)
    if unlikely(it.book.is_watched):
        notice(m, it.book, since)
    return 0


cdef inline void accept(Memory *m, Incoming *it) noexcept nogil:
    """Record the order as taken: its nonce, its hash and its client's id are used from now on."""
    cdef Account *account = &m.accounts[it.account]
    cdef u64 sequence = it.nonce & ~SINGLE_FILL
    it.remaining = it.quantity
    it.held = it.hidden = it.flags = 0
    it.maker_ppm, it.taker_ppm, it.hold_ppm = <i32>it.rates[0], <i32>it.rates[1], <i32>it.rates[2]
    it.floor = it.rates[3]
    it.cap_bps = <i32>it.max_fee_bps if it.max_fee_bps < m.fee_cap_bps else <i32>m.fee_cap_bps
    it.earned, it.charged = 0, 0
    if unlikely(it.gets == 0):
        it.gets = open_balance(m, it.account, m.column_assets[it.book.base if it.side == BUY else it.book.quote])
    it.page = opened(m, it.page, it.account, it.nonce >> 6)
    it.page.used |= <u64>1 << (it.nonce & 63)
    if sequence > account.top_nonce and same_address(it.command + SIGNER, it.command + ACCOUNT_AT):
        account.top_nonce = sequence
    remember(m, account, it.command + ORDER_HASH, it.id, it.guess.hash_hash)
    if unlikely(client_id_size(it.command)):
        note_client_id(m, it)
    if is_told_of(m, it.account):
        tell_accepted(m, it)


cdef inline void tell_accepted(Memory *m, Incoming *it) noexcept nogil:
    cdef i64 *event = emit(m, ACCEPTED)
    event[1] = it.id
    event[2] = it.account
    event[3] = it.maker_ppm
    event[4] = it.taker_ppm
    event[5] = it.floor


cdef inline bint crosses(Incoming *it, Half *half) noexcept nogil:
    """Whether the order would meet one on this side."""
    return half.best >= half.sign * it.price


cdef inline i64 work(Memory *m, i64 at_ms, Incoming *it) noexcept nogil:
    """Match the order as its terms say. Returns why it ends now, or OPEN."""
    cdef Half *half = &it.book.halves[1 - it.side]
    cdef i64 reason
    if crosses(it, half):
        if it.terms & POST_ONLY | it.book.in_call:
            return gather(m, it, half) if it.book.in_call else POST_ONLY_WOULD_TAKE
        if (it.terms & TIME_IN_FORCE) == FOK:
            reason = obstacle(m, it, half)
            if reason != OPEN:
                return reason
        reason = meet(m, at_ms, it, half)
        if reason != OPEN:
            return reason
    if rests(it.terms):
        return OPEN
    return FOK_UNFILLED if (it.terms & TIME_IN_FORCE) == FOK else UNFILLED


cdef inline i64 room_for_fills(Memory *m) noexcept nogil:
    """How many orders an order may still meet: its record settles in one batch."""
    return m.max_fills - m.record_fills if m.max_fills > m.record_fills else 0


cdef i64 obstacle(Memory *m, Incoming *it, Half *half) noexcept nogil:
    """What keeps an all-or-none order from being filled at once; OPEN if nothing does."""
    cdef Look look
    cdef i64 limit = reach(it, half), found
    cdef i32 level = half.top
    look.missing, look.taken, look.quote, look.unit = it.remaining, 0, 0, 1
    look.fills_left, look.hashes_left = room_for_fills(m), MAX_PROOFS - m.record_hashes - it.hashes
    while level:
        if half.sign * m.levels[level].price < limit:
            return PRICE_COLLAR if half.sign * m.levels[level].price >= half.sign * it.price else FOK_UNFILLED
        found = look_at_level(m, it, &look, level)
        if found != GO_ON:
            return found
        level = worse_level(m, level)
    return FOK_UNFILLED


cdef i64 look_at_level(Memory *m, Incoming *it, Look *look, i32 level) noexcept nogil:
    """What taking a whole level finds: an obstacle, OPEN when nothing is missing then, or GO_ON."""
    cdef i32 number = m.levels[level].head
    cdef Order *maker
    cdef bint hides = False
    cdef i64 found
    if it.by_quote:
        look.unit = m.levels[level].price
        if look.missing < look.unit:
            return OPEN
    while number:
        maker = &m.orders[number]
        if maker.account != it.account:
            found = look_at(m, it, look, maker, m.levels[level].price, maker.remaining - maker.hidden)
            if found != GO_ON:
                return found
            hides |= maker.hidden != 0
        elif self_trade(it.terms) != CANCEL_MAKER:
            return SELF_TRADE
        number = maker.next
    return look_at_hidden(m, it, look, level) if hides else GO_ON


cdef i64 look_at(Memory *m, Incoming *it, Look *look, Order *maker, i64 price, i64 shown) noexcept nogil:
    """What it finds to take that many lots of an order; as above."""
    cdef i64 lots = look.missing // look.unit if it.by_quote else look.missing
    look.fills_left -= 1
    look.hashes_left -= maker.hashes
    if look.fills_left < 0 or look.hashes_left < 0:
        return TOO_MANY_FILLS
    if lots > shown:
        lots = shown
    look.taken += lots
    if exceeds(look.quote, lots * price) or product(look.taken, it.book.lot_size) < 0:
        return UNSETTLED_LIMIT
    look.quote += lots * price
    if beyond(m, it, maker, look.taken, look.quote):
        return UNSETTLED_LIMIT
    look.missing -= lots * look.unit
    return OPEN if look.missing < look.unit else GO_ON


cdef inline i64 most_lots(Incoming *it, i64 missing, i64 unit, Order *maker) noexcept nogil:
    """As many lots as one has and the other shows; one lot takes `unit` off what the taker has: of an amount of quote,
    its price."""
    cdef i64 lots = missing // unit if it.by_quote else missing, shown = maker.remaining - maker.hidden
    return lots if lots < shown else shown


cdef inline i64 meet(Memory *m, i64 at_ms, Incoming *it, Half *half) noexcept nogil:
    """Fill the order from the best levels on; OPEN when it remains open and meets nobody any more."""
    cdef Order *maker
    cdef i64 limit = reach(it, half), unit = 1, price, lots, blocked
    cdef i64 fills_left = room_for_fills(m), hashes_left = MAX_PROOFS - m.record_hashes - it.hashes
    cdef i64 first = 1
    cdef i32 number, following = follower(m, m.levels[half.top].head)
    fetch_soon(&m.orders[following])
    while half.best >= limit:
        price = half.sign * half.best
        number = m.levels[half.top].head
        maker = &m.orders[number]
        if following:
            fetch_maker(m, following)
            following = follower(m, following)
            fetch_soon(&m.orders[following])
        if it.by_quote:
            unit = price
            if it.remaining < unit:
                return FILLED
        if unlikely(maker.account == it.account):
            if meet_own(m, it, number, unit) or m.failed:
                return SELF_TRADE
            continue
        if fills_left == 0 or maker.hashes > hashes_left:
            return TOO_MANY_FILLS
        fills_left -= 1
        hashes_left -= maker.hashes
        m.record_fills += 1 + first
        m.record_hashes += maker.hashes + first * it.hashes
        first = 0
        lots = most_lots(it, it.remaining, unit, maker)
        blocked = beyond(m, it, maker, lots, lots * price)
        if unlikely(blocked):
            if blocked == 1:
                return UNSETTLED_LIMIT
            close_order(m, number, UNSETTLED_LIMIT)
            if m.failed:
                return UNSETTLED_LIMIT
            continue
        if unlikely((it.flags | maker.flags) & GROUPED):
            decide_groups(m, it, number)
        fill(m, at_ms, it, number, price, lots, unit)
        if it.remaining < unit:
            return FILLED
    return PRICE_COLLAR if unlikely(limit != half.sign * it.price) and crosses(it, half) else OPEN


cdef bint meet_own(Memory *m, Incoming *it, i32 number, i64 unit) noexcept nogil:
    """Keep an order from trading with its own account, in the way that its terms say; whether it ends."""
    cdef Order *maker = &m.orders[number]
    cdef i64 mode = self_trade(it.terms), lots
    if mode == DECREMENT:
        if (it.flags | maker.flags) & GROUPED:
            decide_groups(m, it, number)
        lots = most_lots(it, it.remaining, unit, maker)
        reduce_order(m, number, lots)
        it.remaining -= lots * unit
        tell_reduced(m, it.id, it.account, it.book.market, lots * unit, it.remaining)
        if maker.remaining == 0:
            close_order(m, number, SELF_TRADE)
        elif maker.hidden == maker.remaining:
            show_more(m, number)
        return it.remaining < unit
    if mode != CANCEL_TAKER:
        close_order(m, number, SELF_TRADE)
    return mode != CANCEL_MAKER


cdef inline i64 hold_of(Book *book, Order *o, i64 price, i64 remaining) noexcept nogil:
    """What backs that much of an order."""
    return chosen(o.side == BUY, with_fee(price * remaining, o.hold_ppm), remaining * book.lot_size)


cdef void reduce_order(Memory *m, i32 number, i64 lots) noexcept nogil:
    """Lower what remains of a resting order, and release what backed it. It keeps its place."""
    cdef Order *o = &m.orders[number]
    cdef Level *level = &m.levels[o.level]
    cdef Book *book = &m.books[level.book]
    cdef i64 released = hold_of(book, o, level.price, o.remaining) - hold_of(book, o, level.price, o.remaining - lots)
    level.quantity -= lots
    touch_level(m, o.level)
    o.remaining -= lots
    m.balances[o.pays].held -= released
    tell_reduced(m, o.id, o.account, book.market, lots, o.remaining)
    give(m, o.pays, released)


cdef void tell_reduced(Memory *m, i64 order_id, i32 account, i64 market, i64 lots, i64 remaining) noexcept nogil:
    cdef i64 *event
    if not is_told_of(m, account):
        return
    event = emit(m, REDUCED)
    event[1] = order_id
    event[2] = account
    event[3] = market
    event[4] = lots
    event[5] = remaining


cdef inline i64 beyond(Memory *m, Incoming *it, Order *maker, i64 lots, i64 quote) noexcept nogil:
    """Who cannot trade this much, because what is unsettled would exceed what the ledger counts: 1 the taker, 2 the
    maker, 0 nobody. A trade brings one balance at most twice its quote: proceeds and both fees."""
    cdef i64 base = lots * it.book.lot_size
    cdef bint buys = it.side == BUY
    if quote > (MAX_AMOUNT >> 1):
        if not buys:
            return 2 if exceeds(m.balances[maker.gets].unsettled, base) else 1
        return 2
    quote *= 2
    if exceeds(m.balances[maker.gets].unsettled, chosen(buys, quote, base)):
        return 2
    if exceeds(m.balances[it.gets].unsettled, chosen(buys, base, quote)):
        return 1
    return 1 if exceeds(m.balances[it.book.fees].unsettled, quote) else 0


cdef inline i64 charge(Incoming *it, i64 quote) noexcept nogil:
    """The taker's fee of the next fill."""
    it.earned += part_of(quote, it.taker_ppm, PPM)
    cdef i64 due = (it.earned if it.earned > it.floor else it.floor) - it.charged
    cdef i64 most = part_of(quote, it.cap_bps, BPS)
    if most < due:
        due = most
    it.charged += due
    return due


cdef inline void fill(Memory *m, i64 at_ms, Incoming *it, i32 number, i64 price, i64 lots, i64 unit) noexcept nogil:
    """One trade, at the maker's price."""
    cdef Order *maker = &m.orders[number]
    cdef i64 quote = price * lots
    cdef i64 maker_fee = part_of(quote, maker.maker_ppm, PPM), taker_fee = charge(it, quote)
    it.remaining -= lots * unit
    maker.remaining -= lots
    m.levels[maker.level].quantity -= lots
    touch_level(m, maker.level)
    it.book.last_price = price
    pay(m, it, maker, price, lots, maker_fee, taker_fee)
    record(m, at_ms, it, maker, price, lots, maker_fee, taker_fee)
    if maker.remaining == 0:
        close_filled(m, number)
    elif unlikely(maker.hidden == maker.remaining):
        show_more(m, number)


cdef inline void pay(Memory *m, Incoming *it, Order *maker, i64 price, i64 lots, i64 maker_fee,
                     i64 taker_fee) noexcept nogil:
    """Move the money of one trade; the sums of base and of quote stay what they were."""
    cdef i64 base = lots * it.book.lot_size, quote = price * lots, released
    if unlikely(it.held):
        pay_from_hold(m, it, quote + taker_fee if it.side == BUY else base)
    cdef Balance *pays = &m.balances[it.pays]
    if it.side == BUY:
        pays.available -= quote + taker_fee
        m.balances[maker.pays].held -= base
        touch_balance(m, it.pays)
        touch_balance(m, maker.pays)
        bring(m, it.gets, base)
        bring(m, maker.gets, quote - maker_fee)
    else:
        pays.available -= base
        released = with_fee(quote + price * maker.remaining, maker.hold_ppm)
        released -= with_fee(price * maker.remaining, maker.hold_ppm)
        m.balances[maker.pays].held -= released
        if released != quote + maker_fee:
            give(m, maker.pays, released - quote - maker_fee)
        touch_balance(m, it.pays)
        touch_balance(m, maker.pays)
        bring(m, it.gets, quote - taker_fee)
        bring(m, maker.gets, base)
    bring(m, it.book.fees, maker_fee + taker_fee)


cdef inline void bring(Memory *m, i32 balance, i64 amount) noexcept nogil:
    m.balances[balance].unsettled += amount
    give(m, balance, amount)


cdef inline void record(Memory *m, i64 at_ms, Incoming *it, Order *maker, i64 price, i64 lots, i64 maker_fee,
                        i64 taker_fee) noexcept nogil:
    """Keep and tell the trade."""
    cdef i64 at = m.trades_used
    if unlikely(at == m.trades_room):
        m.trades = <Trade *>grown(m.trades, &m.trades_room, at + 1, sizeof(Trade))
    cdef Trade *trade = &m.trades[at]
    fetch_soon(&trade[3])
    fetch_soon(&trade[4])
    m.trades_used += 1
    m.trades_count += 1
    m.last_trade += 1
    trade.seq, trade.at_ms, trade.price, trade.lots = it.id, at_ms, price, lots
    trade.maker_order, trade.maker_fee, trade.taker_fee = maker.id, maker_fee, taker_fee
    trade.maker_remaining, trade.taker_remaining = maker.remaining, it.remaining
    trade.maker_account, trade.taker_account, trade.book = maker.account, it.account, it.book_number
    trade.side, trade.gone = it.side, 0
    if m.oldest < 0:
        m.oldest = at_ms
    if not m.silent:
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


cdef inline i32 rest(Memory *m, Incoming *it) noexcept nogil:
    """Put what remains of an accepted order into its book, backed by its hold; its record."""
    cdef i32 number = shelve(m, it)
    cdef Order *o = &m.orders[number]
    cdef i64 held = hold_of(it.book, o, it.price, o.remaining)
    if unlikely(it.held):
        release_hold(m, it, held)
    else:
        m.balances[o.pays].available -= held
        m.balances[o.pays].held += held
    touch_balance(m, o.pays)
    touch_level(m, o.level)
    return number


cdef inline i32 shelve(Memory *m, Incoming *it) noexcept nogil:
    """Enter an order that rests wherever it is looked for; its record."""
    cdef i32 number = shelve_outside(m, it)
    queue_order(m, number, level_for(m, it))
    return number


cdef inline i32 shelve_outside(Memory *m, Incoming *it) noexcept nogil:
    """The same, but for its book."""
    cdef i32 number = new_order(m)
    cdef Order *o = &m.orders[number]
    o.id, o.remaining, o.account, o.pays, o.gets = it.id, it.remaining, it.account, it.pays, it.gets
    o.maker_ppm, o.hold_ppm = it.maker_ppm, it.hold_ppm
    o.side, o.hashes, o.hidden, o.level = it.side, <u8>it.hashes, it.hidden, 0
    keep_paper(m, number, it)
    o.slot = put_on_nonce(m, it.page, it.nonce, number)
    m.accounts[it.account].open_orders += 1
    await_expiry(m, it.expiry, it.id, number)
    return number


cdef inline i32 cancel(Memory *m, const u8 *command, Guess *guess) noexcept nogil:
    """Cancel one open order by its nonce; returns the refusal's number, 0 when it was cancelled."""
    cdef u64 nonce = <u64>word(command, 3)
    cdef Page *page = guessed_page(m, guess, nonce >> 6)
    cdef i32 account = guess.account, order
    if account == 0:
        return UNKNOWN_ACCOUNT
    if unlikely(m.accounts[account].special & REVOKES) and is_revoked(m, account, command + SIGNER):
        return UNKNOWN_DELEGATE
    order = order_in(m, page, nonce)
    if order:
        note_outcome(m, CANCELLED, m.orders[order].remaining)
        close_order(m, order, CANCELLED)
        return 0
    return ORDER_CLOSED if page.used >> (nonce & 63) & 1 else UNKNOWN_ORDER

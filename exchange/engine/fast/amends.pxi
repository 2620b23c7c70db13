# Amends within a frame, of orders that are plain or display a part by such: matcher.take_over over records, where the old
# order rests. Whatever else there is, refusals among it, is Python's, which then finds nothing changed.

cdef inline bint ends_now(Memory *m, i32 number, i64 at_ms) noexcept nogil:
    """Whether the time of an open order, or of its account's countdown, has come."""
    cdef i64 now = at_ms // 1_000
    return m.papers[number].expiry <= now or 0 < m.accounts[m.orders[number].account].countdown <= now


cdef inline bint has_trigger(Memory *m, i32 number) noexcept nogil:
    """Whether an open order says more than what it displays: a trigger, a group, or very many lots."""
    cdef Paper *p = &m.papers[number]
    return m.orders[number].flags & LONGER and (
        p.terms & 0xFFFF & ~TERMS or rest_of_paper(p)[0] or rest_of_paper(p)[1])


cdef inline i32 replaced_by(Memory *m, i64 at_ms, Incoming *it) noexcept nogil:
    """The resting order that one on its nonce replaces, 0 where that is for Python to say."""
    cdef i32 number = order_in(m, it.page, it.nonce)
    cdef Order *o = &m.orders[number]
    cdef Paper *p = &m.papers[number]
    if number == 0 or o.level == 0 or o.flags & GROUPED or it.by_quote or ends_now(m, number, at_ms):
        return 0
    if unlikely(has_trigger(m, number)) or p.market != it.book.market or o.side != it.side or it.quantity <= p.quantity - o.remaining:
        return 0
    it.remaining = it.quantity - (p.quantity - o.remaining)
    return 0 if memcmp(p.order_hash, it.command + ORDER_HASH, 32) == 0 else number


cdef inline bint stands_still(Memory *m, Incoming *it, i32 number) noexcept nogil:
    """Whether it takes over the place of the resting order that it replaces."""
    cdef Paper *p = &m.papers[number]
    return p.price == it.price and p.terms == it.terms and it.remaining <= m.orders[number].remaining


cdef i32 check_more(Memory *m, Incoming *it, i32 number) noexcept nogil:
    """The bounds allow what it asks for; none is against an order that asks for no more of anything than a resting one
    in whose place it comes."""
    cdef Order *o = &m.orders[number]
    cdef Paper *p = &m.papers[number]
    cdef i64 added = it.price * it.remaining
    if (rests(it.terms) and it.quantity <= p.quantity and it.notional <= p.price * p.quantity
            and added <= p.price * o.remaining):
        return 0
    return check_bounds(m, it, number, added)


cdef inline bint can_back(Memory *m, Incoming *it, i32 number) noexcept nogil:
    """Whether what backs a resting order, and what is available, back the one that replaces it."""
    cdef Order *o = &m.orders[number]
    cdef i32 *columns = &it.book.base
    cdef bint buys = it.side == BUY
    it.pays = balance_in(m, it.account, columns[1 - it.side])
    it.gets = balance_in(m, it.account, columns[it.side])
    cdef i64 needed = chosen(buys, with_fee(it.price * it.remaining, it.rates[2]) + it.rates[3],
                             it.remaining * it.book.lot_size)
    return needed - hold_of(it.book, o, m.papers[number].price, o.remaining) <= m.balances[it.pays].available


cdef i64 note_amend(Memory *m, Incoming *it, i32 number, bint keeps) noexcept with gil:
    """Have Python remember what is replaced: where it tells that, from 1 on, 0 for nowhere; -1 if it is against it."""
    cdef const u8 *old_hash = m.papers[number].order_hash
    cdef const u8 *new_hash = it.command + ORDER_HASH
    try:
        return (<object>m.owner).note_amend(
            m.orders[number].id, it.id, it.account, it.book.market, it.remaining, old_hash[:32], new_hash[:32],
            keeps, is_told_of(m, it.account))
    except BaseException as error:
        fail(m, error)
        return -1


cdef void swap(Memory *m, Incoming *it, i32 number) noexcept nogil:
    """Put it into the very place of the resting order, which ends as amended."""
    cdef Order *o = &m.orders[number]
    cdef i64 old_id = o.id, old_remaining = o.remaining, hidden = o.hidden - (o.remaining - it.remaining)
    cdef i64 released = hold_of(it.book, o, it.price, o.remaining)
    it.hidden = hidden if hidden > 0 else 0
    replace_order(m, number, it)
    tell_closed(m, old_id, it.account, it.book.market, AMENDED, old_remaining)
    released -= hold_of(it.book, o, it.price, o.remaining)
    m.balances[o.pays].held -= released
    if released >= 0:
        give(m, o.pays, released)
    else:  # a schedule that came later asks for more
        m.balances[o.pays].available += released
        touch_balance(m, o.pays)
    note_outcome(m, OPEN, it.remaining)


cdef void start_again(Memory *m, Incoming *it, i64 at_ms, i32 number, i64 displayed) noexcept nogil:
    """Close the resting order, and match it as one that comes now."""
    cdef i64 since = m.trades_used, reason
    m.orders[number].flags &= ~HOOKED  # what it replaced is the new one's already
    close_order(m, number, AMENDED)
    it.page = find_page(m, it.account, it.nonce >> 6)
    reason = work(m, at_ms, it)
    note_outcome(m, reason, it.remaining)
    if reason == OPEN:
        rest_for_python(m, it, displayed)
    else:
        tell_closed(m, it.id, it.account, it.book.market, reason, it.remaining)
        tell_dropped(m, it.id, it.book.market)
    if unlikely(it.book.is_watched):
        notice(m, it.book, since)


cdef bint amend_here(Memory *m, i64 number, i64 at_ms, const u8 *command, const u8 *blob, Guess *guess,
                     i64 displayed) noexcept nogil:
    """Put an order that displays so many lots, 0 for all, in the place of the resting one on its nonce; whether that was
    done, or Python has to."""
    cdef Incoming it
    cdef i64 remaining, told
    cdef i64 *event
    cdef i32 old
    cdef bint keeps
    it.command, it.blob, it.guess, it.id = command, blob, guess, number
    if look_up(m, &it, displayed) or check_market(m, at_ms, &it) or check_account(m, &it, m.accounts[it.account].open_orders - 1):
        return False
    it.page = guessed_page(m, guess, it.nonce >> 6)
    old = replaced_by(m, at_ms, &it)
    if old == 0:
        return False
    if check_expiry(at_ms, &it) or check_size(&it, displayed) or check_band(&it) or check_fee_cap(m, &it):
        return False
    if unlikely(it.book.is_bounded) and check_more(m, &it, old):
        return False
    if check_backlog(m, at_ms, &it) or not can_back(m, &it, old):
        return False
    keeps = stands_still(m, &it, old)
    told = note_amend(m, &it, old, keeps)
    if told < 0:
        return False
    if unlikely(m.soonest * 1_000 <= at_ms):
        expire(m, at_ms)
        it.page = find_page(m, it.account, it.nonce >> 6)
    remaining = it.remaining
    accept(m, &it)
    it.remaining, it.flags = remaining, HOOKED | (LONGER if displayed else 0)
    it.high = it.trigger_price = 0
    if told:
        event = emit(m, TOLD)
        event[1] = told - 1
    if keeps:
        swap(m, &it, old)
    else:
        start_again(m, &it, at_ms, old, displayed)
    return True

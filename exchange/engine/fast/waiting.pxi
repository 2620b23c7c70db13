# Orders that wait for a price. They are open, in no book, and what they wait for is Python's (exchange.engine.triggers):
# the core knows of each market between which last prices nothing happens.

cdef void close_waiting(Memory *m, i32 order, i64 reason) noexcept nogil:
    """Take an order that waits out, and release its hold."""
    cdef Order *o = &m.orders[order]
    cdef Paper *p = &m.papers[order]
    cdef i64 held = hold_waiting(m, order)
    cdef i32 pays = o.pays
    tell_closed(m, o.id, o.account, p.market, reason, o.remaining)
    drop_order(m, order)
    m.balances[pays].held -= held
    give(m, pays, held)


cdef i64 hold_waiting(Memory *m, i32 order) noexcept nogil:
    """What backs an order that waits: all that it can need when it takes, and then rests."""
    cdef Order *o = &m.orders[order]
    cdef Paper *p = &m.papers[order]
    cdef i64 held = hold_of(&m.books[book_of(m, order)], o, p.price, o.remaining)
    return held + p.floor if o.side == BUY else held


cdef inline i32 book_of(Memory *m, i32 order) noexcept nogil:
    """The number of an open order's book."""
    cdef i32 level = m.orders[order].level
    return m.levels[level].book if level else find_book(m, m.papers[order].market)


cdef void notice(Memory *m, Book *book, i64 since) noexcept nogil:
    """Have Python see the trades of an order, numbered from `since`, if one of them may trigger something."""
    cdef i64 at
    for at in range(since, m.trades_used):
        if m.trades[at].price < book.quiet_low or m.trades[at].price > book.quiet_high:
            tell_prices(m, book.market, since)
            return


cdef void tell_prices(Memory *m, i64 market, i64 since) noexcept with gil:
    cdef i64 at
    try:
        (<object>m.owner).notice(market, [m.trades[at].price for at in range(since, m.trades_used)])
    except BaseException as error:
        fail(m, error)


cdef bint is_others_turn(Memory *m, i64 at_ms) noexcept nogil:
    """Whether a triggered order works first; the orders of a frame are one record."""
    return not m.in_frame and not is_behind(m, at_ms) and has_due(m)


cdef bint has_due(Memory *m) noexcept with gil:
    try:
        return (<object>m.owner).has_due
    except BaseException as error:
        fail(m, error)
        return True


cdef void take_turn(Memory *m, i64 seq, i64 at_ms) noexcept with gil:
    """Let the triggered order work whose turn it is."""
    try:
        (<object>m.owner).take_turn(seq, at_ms)
    except BaseException as error:
        fail(m, error)


cdef void pay_from_hold(Memory *m, Incoming *it, i64 spent) noexcept nogil:
    """What an order that has waited spends comes out of its hold."""
    it.held -= spent
    m.balances[it.pays].held -= spent
    m.balances[it.pays].available += spent


cdef void release_hold(Memory *m, Incoming *it, i64 held) noexcept nogil:
    """Lower the hold of an order that has waited."""
    cdef i64 released = it.held - held
    it.held = held
    m.balances[it.pays].held -= released
    give(m, it.pays, released)


cdef bint close_flagged(Memory *m, i32 order, i64 reason) noexcept nogil:
    """Close an order that does not end as others do, and say whether it is one: a leg of a group, or one that waits."""
    if m.orders[order].flags & GROUPED:
        close_leg(m, order, reason)
    elif not m.orders[order].level:
        close_waiting(m, order, reason)
    else:
        return False
    return True


cdef void close_leg(Memory *m, i32 order, i64 reason) noexcept with gil:
    try:
        (<object>m.owner).close_leg(order, REASONS[reason])
    except BaseException as error:
        fail(m, error)


cdef void decide_groups(Memory *m, Incoming *it, i32 maker) noexcept with gil:
    """Two orders trade, or are decremented: the other legs of their groups end."""
    try:
        if it.flags & GROUPED:
            it.flags &= ~GROUPED
            it.held = (<object>m.owner).decide_taker()
        if m.orders[maker].flags & GROUPED:
            (<object>m.owner).decide_leg(m.orders[maker].id)
    except BaseException as error:
        fail(m, error)


cdef i32 rest_for_python(Memory *m, Incoming *it, i64 displayed) noexcept nogil:
    """Rest it; the hold of a leg of a group is Python's."""
    cdef i32 number
    if displayed and it.remaining > displayed:
        it.hidden = it.remaining - displayed
    if not it.flags & GROUPED:
        return rest(m, it)
    number = shelve(m, it)
    touch_level(m, m.orders[number].level)
    return number


cdef i32 work_for_python(Memory *m, i64 at_ms, Incoming *it, i64 displayed) noexcept nogil:
    """Match an order that Python has accepted, and rest or close what remains; its record, 0 if it does not rest."""
    cdef i64 since = m.trades_used, reason = work(m, at_ms, it)
    cdef i32 number = 0
    if reason == OPEN:
        number = rest_for_python(m, it, displayed)
    else:
        tell_closed(m, it.id, it.account, it.book.market, reason, it.remaining)
        if it.held:
            release_hold(m, it, 0)
    if it.book.is_watched:
        notice(m, it.book, since)
    return number

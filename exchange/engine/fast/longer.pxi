# Orders that say more than a command has room for: what they show at a time, what they wait for. Such an order's paper
# keeps the rest of its terms and its trigger price where a short signature would stand.

cdef enum:              # an order's flags
    APART = 1           # its paper's signature and client's id stand apart
    LONGER = 2          # its paper has the rest; then they stand apart as well
    HOOKED = 4          # Python is told when it is dropped
    GROUPED = 8         # it is a leg of a group that is not decided: its hold is Python's


cdef inline u64 *rest_of_paper(Paper *paper) noexcept nogil:
    """The higher half of its terms, then its trigger price."""
    return <u64 *>(paper.inside + 12)


cdef i64 displayed_of(Paper *paper) noexcept nogil:
    """How many lots it shows at a time."""
    return <i64>(<u64>paper.terms >> 16 | rest_of_paper(paper)[0] << 48)


cdef void drop_flags(Memory *m, i32 order) noexcept nogil:
    """What else ends with an order."""
    cdef Order *o = &m.orders[order]
    if o.flags & APART:
        release(extra_of(&m.papers[order])[0])
    if o.flags & HOOKED:
        tell_dropped(m, o.id, m.papers[order].market)
    o.flags = 0


cdef void tell_dropped(Memory *m, i64 order_id, i64 market) noexcept with gil:
    try:
        (<object>m.owner).forget(order_id, market)
    except BaseException as error:
        fail(m, error)


cdef i32 place_displayed(Memory *m, i64 number, i64 at_ms, const u8 *command, const u8 *blob, Guess *guess,
                         i64 displayed) noexcept nogil:
    """Accept and match an order of a frame that displays so many lots at a time; returns the refusal's number, or 0."""
    cdef Incoming it
    it.command, it.blob, it.guess, it.id = command, blob, guess, number
    cdef i32 refusal = check(m, at_ms, &it, displayed)
    if refusal:
        return refusal
    if unlikely(m.soonest * 1_000 <= at_ms):
        expire(m, at_ms)
        it.page = find_page(m, it.account, it.nonce >> 6)
    accept(m, &it)
    it.flags, it.high, it.trigger_price = LONGER, 0, 0
    work_for_python(m, at_ms, &it, displayed)
    return 0


cdef void show_more(Memory *m, i32 number) noexcept nogil:
    """Show the next slice of a resting order whose last one is used up: it goes to the end of its level."""
    cdef Order *o = &m.orders[number]
    cdef Level *level = &m.levels[o.level]
    cdef i64 displayed = displayed_of(&m.papers[number]), shown = o.hidden if o.hidden < displayed else displayed
    o.hidden -= shown
    level.quantity += shown
    touch_level(m, o.level)
    if o.next == 0:
        return
    m.orders[o.next].prev = o.prev
    if o.prev:
        m.orders[o.prev].next = o.next
    else:
        level.head = o.next
    m.orders[level.tail].next = number
    o.prev, o.next = level.tail, 0
    level.tail = number


cdef i64 look_at_hidden(Memory *m, Incoming *it, Look *look, i32 level) noexcept nogil:
    """Take what the level's orders hide as well, slice by slice in turn, as `look_at_level` says."""
    cdef i64 turn = 0, hidden, displayed, found
    cdef bint more = True
    cdef i32 number
    cdef Order *maker
    while more:
        more = False
        number = m.levels[level].head
        while number:
            maker = &m.orders[number]
            if maker.hidden and maker.account != it.account:
                displayed = displayed_of(&m.papers[number])
                hidden = maker.hidden - turn * displayed
                if hidden > 0:
                    found = look_at(m, it, look, maker, m.levels[level].price, min(hidden, displayed))
                    if found != GO_ON:
                        return found
                    more |= hidden > displayed
            number = maker.next
        turn += 1
    return GO_ON


cdef void replace_order(Memory *m, i32 number, Incoming *it) noexcept nogil:
    """Put an order that asks for no more into the very place of a resting one; the hold is the caller's."""
    cdef Order *o = &m.orders[number]
    m.levels[o.level].quantity += (it.remaining - it.hidden) - (o.remaining - o.hidden)
    touch_level(m, o.level)
    if o.flags & APART:
        release(extra_of(&m.papers[number])[0])
    o.id, o.remaining, o.hidden = it.id, it.remaining, it.hidden
    o.maker_ppm, o.hold_ppm, o.hashes = it.maker_ppm, it.hold_ppm, <u8>it.hashes
    keep_paper(m, number, it)
    await_expiry(m, it.expiry, it.id, number)

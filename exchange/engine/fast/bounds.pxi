# A market's bounds, and accounts' own limits: exchange.engine.exposure over records.

cdef inline i64 reach(Incoming *it, Half *half) noexcept nogil:
    """The key of the worst level that an order takes from: its own price, or the market's collar if that is nearer."""
    cdef i64 limit = half.sign * it.price
    return collared(it, half, limit) if unlikely(it.book.collar_bps) else limit


cdef i64 collared(Incoming *it, Half *half, i64 limit) noexcept nogil:
    cdef i64 last = it.book.last_price, worst
    if last == 0:
        return limit
    if it.side == BUY:
        worst = -capped_part_of(last, BPS + it.book.collar_bps, BPS)
    else:
        worst = capped_ceiling(last, BPS - it.book.collar_bps, BPS)
    return worst if worst > limit else limit


cdef i32 check_bounds(Memory *m, Incoming *it, i32 besides, i64 added) noexcept nogil:
    """The order is not larger than the market takes, nor the account's exposure with the notional `added`, but for the
    order that it replaces. Asked where the market, or some account in its quote, is bounded."""
    cdef Book *book = it.book
    cdef i32 refusal = 0
    if not it.by_quote and 0 < book.max_quantity < <u64>it.quantity:
        return ORDER_TOO_LARGE
    if 0 < book.max_notional < <u64>it.notional:
        return ORDER_TOO_LARGE
    if not rests(it.terms):
        return 0
    if book.max_open_orders or book.max_open_notional:
        refusal = check_open(m, it, besides, added)
    if refusal == 0 and m.accounts[it.account].special & LIMITED:
        refusal = check_own(m, it, besides, added)
    return refusal


cdef i32 check_open(Memory *m, Incoming *it, i32 besides, i64 added) noexcept nogil:
    """What the account has open in the market is within its bounds."""
    cdef Book *book = it.book
    cdef Sum total
    cdef u64 count = sum_open(m, it.account, it.book_number, besides, &total)
    if 0 < book.max_open_orders <= count:
        return TOO_MANY_OPEN_ORDERS
    add_to_sum(&total, <u64>added)
    return TOO_MUCH_OPEN if book.max_open_notional and (total.high or total.low > book.max_open_notional) else 0


cdef i32 check_own(Memory *m, Incoming *it, i32 besides, i64 added) noexcept nogil:
    """What the account has open in all markets of the quote is within its own limit."""
    cdef u64 most = m.accounts[it.account].own.max_open_notional[it.book.quote]
    cdef Sum total, there
    cdef i64 book
    if most == 0:
        return 0
    total.low = total.high = 0
    add_to_sum(&total, <u64>added)
    for book in range(1, m.books_used):
        if m.books[book].quote == it.book.quote:
            sum_open(m, it.account, <i32>book, besides, &there)
            add_to_sum(&total, there.low)
            total.high += there.high
    return TOO_MUCH_OPEN if total.high or total.low > most else 0


cdef u64 sum_open(Memory *m, i32 account, i32 book, i32 besides, Sum *total) noexcept nogil:
    """How many open orders an account has in a market, but for one, and the sum of their notionals."""
    cdef i32 block = m.accounts[account].first_block, order, i
    cdef u64 count = 0
    total.low = total.high = 0
    while block:
        for i in range(8):
            order = m.blocks[block].slots[i]
            if order and order != besides and m.papers[order].market == m.books[book].market:
                count += 1
                add_to_sum(total, <u64>(m.papers[order].price * m.orders[order].remaining))
        block = m.blocks[block].next
    return count

# The call of an auction: exchange.engine.matcher over records. The auction itself is Python's (exchange.engine.auctions).

cdef i64 SEQ_BITS = (1 << 40) - 1       # of an order's id


cdef i64 gather(Memory *m, Incoming *it, Half *half) noexcept nogil:
    """Let an order rest, apart from all of its own account that it could meet later."""
    cdef i32 number = own_to_meet(m, it, half)
    cdef i64 order_id
    while number:
        order_id = m.orders[number].id
        while m.orders[number].id == order_id:
            if meet_own(m, it, number, 1) or m.failed:
                return SELF_TRADE
        number = own_to_meet(m, it, half)
    return OPEN


cdef i32 own_to_meet(Memory *m, Incoming *it, Half *half) noexcept nogil:
    """The order of its own account, on the other side, that it would meet first: the best, then the oldest; 0 for none."""
    cdef i32 block = m.accounts[it.account].first_block, order, found = 0
    cdef i64 key, best = half.sign * it.price, i
    while block:
        for i in range(8):
            order = m.blocks[block].slots[i]
            if not order or not is_on(m, order, it.book_number, half):
                continue
            key = half.sign * m.levels[m.orders[order].level].price
            if key > best or key == best and (not found or is_older(m, order, found)):
                found, best = order, key
        block = m.blocks[block].next
    return found


cdef inline bint is_on(Memory *m, i32 order, i32 book, Half *half) noexcept nogil:
    """Whether it rests on this side of a book."""
    cdef i32 level = m.orders[order].level
    return level and m.levels[level].book == book and &m.books[book].halves[m.levels[level].side] == half


cdef inline bint is_older(Memory *m, i32 order, i32 other) noexcept nogil:
    """By sequence, then by place in a frame."""
    cdef i64 one = m.orders[order].id & SEQ_BITS, two = m.orders[other].id & SEQ_BITS
    return one < two or one == two and m.orders[order].id < m.orders[other].id

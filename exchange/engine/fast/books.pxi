# Open orders: in each level a queue in order of arrival.


cdef inline void queue_order(Memory *m, i32 order, i32 number) noexcept nogil:
    """Put the order at the end of a level."""
    cdef Order *o = &m.orders[order]
    cdef Level *level = &m.levels[number]
    o.prev = level.tail
    o.next = 0
    m.orders[level.tail].next = order  # also of index 0, which nobody reads: no branch that is hard to guess
    level.head = <i32>chosen(level.tail, level.head, order)
    level.tail = order
    level.quantity += o.remaining - o.hidden
    o.level = number


cdef inline void unqueue_order(Memory *m, i32 order) noexcept nogil:
    """Take the order, with whatever remains of it, out of its level."""
    cdef Order *o = &m.orders[order]
    cdef Level *level = &m.levels[o.level]
    m.orders[o.prev].next = o.next  # also of index 0
    m.orders[o.next].prev = o.prev
    level.head = <i32>chosen(o.prev, level.head, o.next)
    level.tail = <i32>chosen(o.next, level.tail, o.prev)
    level.quantity -= o.remaining - o.hidden
    if level.head == 0:
        drop_level(m, o.level)


# the pool of open orders


cdef inline i32 new_order(Memory *m) noexcept nogil:
    cdef i32 order = m.free_order
    cdef i64 room = m.orders_room
    if order:
        m.free_order = m.orders[order].next
        fetch_soon(&m.orders[m.free_order])  # the next one's, which is written to at once
    else:
        order = <i32>m.orders_used
        if unlikely(order >= m.orders_room):
            m.orders = <Order *>grown(m.orders, &m.orders_room, order + 1, sizeof(Order))
            m.papers = <Paper *>grown(m.papers, &room, m.orders_room, sizeof(Paper))
        m.orders_used += 1
    m.open_count += 1
    return order


cdef inline void drop_order(Memory *m, i32 order) noexcept nogil:
    """Forget an order: out of its level, off its nonce, its record free."""
    cdef Order *o = &m.orders[order]
    if likely(o.level):
        unqueue_order(m, order)
    take_off_nonce(m, o.slot)
    m.accounts[o.account].open_orders -= 1
    if unlikely(o.flags):
        drop_flags(m, order)
    o.id = 0
    o.next = m.free_order
    m.free_order = order
    m.open_count -= 1


# commands, packed as packing.py says, and what signed them

cdef enum:
    ACCOUNT_AT = 64
    SIGNER = 84
    ORDER_HASH = 104
    INSIDE = 136


cdef inline i64 word(const u8 *command, i64 at) noexcept nogil:
    return (<const i64 *>command)[at]


cdef inline i64 signature_size(const u8 *command) noexcept nogil:
    return (<const uint16_t *>command)[26]


cdef inline i64 client_id_size(const u8 *command) noexcept nogil:
    return (<const uint16_t *>command)[27]


cdef inline const u8 *signature_in(const u8 *command, const u8 *blob) noexcept nogil:
    """Where a command's signature stands, followed by the client's id."""
    cdef i64 size = signature_size(command) + client_id_size(command)
    return command + INSIDE if size <= INLINE else blob + (<const i64 *>(command + INSIDE))[0]


cdef inline bint is_whole(Memory *m, const u8 *command) noexcept nogil:
    """Whether what an order keeps in the blob is there."""
    cdef i64 size = signature_size(command) + client_id_size(command)
    cdef u64 at
    if likely(size <= INLINE):
        return True
    at = (<const u64 *>(command + INSIDE))[0]
    return size <= m.blob_size and at <= <u64>(m.blob_size - size)


cdef inline u8 **extra_of(Paper *paper) noexcept nogil:
    """Where the paper says where its signature and client's id are, if they stand apart."""
    return <u8 **>(paper.inside + 4)


cdef inline void keep_paper(Memory *m, i32 order, Incoming *it) noexcept nogil:
    cdef i64 size = signature_size(it.command) + client_id_size(it.command), room = 0
    cdef i64 rates = <i64>it.taker_ppm | <i64>it.cap_bps << 32
    cdef u8 *extra
    put_paper(&m.papers[order], it.command, it.floor, rates)
    m.orders[order].flags = it.flags
    if unlikely(size > KEPT or it.flags & LONGER):
        m.orders[order].flags |= APART
        extra = <u8 *>grown(NULL, &room, size, 1)
        memcpy(extra, signature_in(it.command, it.blob), size)
        extra_of(&m.papers[order])[0] = extra
    if unlikely(it.flags & LONGER):
        rest_of_paper(&m.papers[order])[0], rest_of_paper(&m.papers[order])[1] = it.high, it.trigger_price

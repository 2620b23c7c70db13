# Books: per side a sorted array of live prices, the best at the end, each with a queue of orders in order of arrival.


cdef inline i32 seek(Half *half, i64 key) noexcept nogil:
    """The first place whose key is not below `key`, found from the best on, because most of what happens is there."""
    cdef i32 high = half.count, step = 1, low, middle
    low = high - 1
    while low >= 0 and half.keys[low] >= key:
        high = low
        step *= 2
        low -= step
    low = low + 1 if low >= 0 else 0
    while low < high:
        middle = (low + high) >> 1
        if half.keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


cdef i32 new_level(Memory *m, i32 book, i32 side, i64 price, i32 at) noexcept nogil:
    """An empty level at place `at` of its side."""
    cdef Half *half = &m.books[book].halves[side]
    cdef i32 level = m.free_level
    cdef i64 room = half.room, keys_room = half.room
    if level:
        m.free_level = m.levels[level].head
    else:
        level = <i32>m.levels_used
        m.levels = <Level *>grown(m.levels, &m.levels_room, level + 1, sizeof(Level))
        m.levels_used += 1
    half.keys = <i64 *>grown(half.keys, &keys_room, half.count + 1, sizeof(i64))
    half.levels = <i32 *>grown(half.levels, &room, half.count + 1, sizeof(i32))
    half.room = <i32>room
    memmove(half.keys + at + 1, half.keys + at, (half.count - at) * sizeof(i64))
    memmove(half.levels + at + 1, half.levels + at, (half.count - at) * sizeof(i32))
    half.keys[at] = half.sign * price
    half.levels[at] = level
    half.count += 1
    memset(&m.levels[level], 0, sizeof(Level))
    m.levels[level].price = price
    m.levels[level].book = book
    m.levels[level].side = side
    return level


cdef inline void drop_level(Memory *m, i32 level) noexcept nogil:
    """Take an empty level out of its side; it is told of before its record is used again."""
    cdef Level *gone = &m.levels[level]
    cdef Half *half = &m.books[gone.book].halves[gone.side]
    cdef i64 key = half.sign * gone.price
    cdef i32 at
    gone.head = m.dropped_level
    m.dropped_level = level
    half.count -= 1
    if half.keys[half.count] == key:
        return
    at = seek_before_drop(half, key)
    memmove(half.keys + at, half.keys + at + 1, (half.count - at) * sizeof(i64))
    memmove(half.levels + at, half.levels + at + 1, (half.count - at) * sizeof(i32))


cdef i32 seek_before_drop(Half *half, i64 key) noexcept nogil:
    half.count += 1
    cdef i32 at = seek(half, key)
    half.count -= 1
    return at


cdef inline void free_dropped_levels(Memory *m) noexcept nogil:
    cdef i32 level
    while m.dropped_level:
        level = m.dropped_level
        m.dropped_level = m.levels[level].head
        m.levels[level].head = m.free_level
        m.free_level = level


cdef inline void queue_order(Memory *m, i32 order) noexcept nogil:
    """Put the order at the end of its level."""
    cdef Order *o = &m.orders[order]
    cdef Half *half = &m.books[o.book].halves[o.side]
    cdef i64 key = half.sign * o.price
    cdef i32 at = seek(half, key), number
    if at < half.count and half.keys[at] == key:
        number = half.levels[at]
    else:
        number = new_level(m, o.book, o.side, o.price, at)
    cdef Level *level = &m.levels[number]
    o.prev = level.tail
    o.next = 0
    if level.tail:
        m.orders[level.tail].next = order
    else:
        level.head = order
    level.tail = order
    level.quantity += o.remaining
    o.level = number


cdef inline void unqueue_order(Memory *m, i32 order) noexcept nogil:
    """Take the order, with whatever remains of it, out of its level."""
    cdef Order *o = &m.orders[order]
    cdef Level *level = &m.levels[o.level]
    if o.prev:
        m.orders[o.prev].next = o.next
    else:
        level.head = o.next
    if o.next:
        m.orders[o.next].prev = o.prev
    else:
        level.tail = o.prev
    level.quantity -= o.remaining
    if level.head == 0:
        drop_level(m, o.level)


# the pool of open orders


cdef inline i32 new_order(Memory *m) noexcept nogil:
    cdef i32 order = m.free_order
    cdef i64 room = m.orders_room
    if order:
        m.free_order = m.orders[order].next
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
    unqueue_order(m, order)
    take_off_nonce(m, o.block, o.nonce)
    m.accounts[o.account].open_orders -= 1
    if unlikely(m.papers[order].extra != NULL):
        release(m.papers[order].extra)
        m.papers[order].extra = NULL
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


cdef inline void keep_paper(Memory *m, i32 order, const u8 *command, const u8 *blob) noexcept nogil:
    cdef Paper *paper = &m.papers[order]
    cdef i64 size = signature_size(command) + client_id_size(command), room = 0
    memcpy(paper.signer, command + SIGNER, 20)
    memcpy(paper.order_hash, command + ORDER_HASH, 32)
    paper.signature_size = <uint16_t>signature_size(command)
    paper.client_id_size = <uint16_t>client_id_size(command)
    if likely(size <= INLINE):
        memcpy(paper.inside, command + INSIDE, INLINE)
    else:
        paper.extra = <u8 *>grown(NULL, &room, size, 1)
        memcpy(paper.extra, signature_in(command, blob), size)


# expiries: a heap by expiry, then by id; what is closed falls out when it comes up, or when it is the majority


cdef inline bint sooner(Expiry *a, Expiry *b) noexcept nogil:
    return a.expiry < b.expiry or (a.expiry == b.expiry and a.id < b.id)


cdef inline void push_expiry(Memory *m, i32 order) noexcept nogil:
    await_expiry(m, m.orders[order].expiry, m.orders[order].id, order)


cdef inline void await_expiry(Memory *m, i64 expiry, i64 number, i64 order) noexcept nogil:
    cdef Expiry new
    cdef i64 at = m.expiries_used, parent
    new.expiry, new.id, new.order = expiry, number, order
    if unlikely(at == m.expiries_room):
        m.expiries = <Expiry *>grown(m.expiries, &m.expiries_room, at + 1, sizeof(Expiry))
    m.expiries_used += 1
    while at:
        parent = (at - 1) >> 1
        if not sooner(&new, &m.expiries[parent]):
            break
        m.expiries[at] = m.expiries[parent]
        at = parent
    m.expiries[at] = new
    if unlikely(m.expiries_used > 2 * m.open_count + 1_024):
        compact_expiries(m)


cdef void pop_expiry(Memory *m) noexcept nogil:
    m.expiries_used -= 1
    cdef Expiry last = m.expiries[m.expiries_used]
    sink_expiry(m, 0, last)


cdef void sink_expiry(Memory *m, i64 at, Expiry item) noexcept nogil:
    cdef i64 child, count = m.expiries_used
    if count == 0:
        return
    while 2 * at + 1 < count:
        child = 2 * at + 1
        if child + 1 < count and sooner(&m.expiries[child + 1], &m.expiries[child]):
            child += 1
        if not sooner(&m.expiries[child], &item):
            break
        m.expiries[at] = m.expiries[child]
        at = child
    m.expiries[at] = item


cdef inline bint is_awaited(Memory *m, Expiry *due) noexcept nogil:
    if due.id < 0:
        return m.accounts[-due.id].countdown == due.expiry
    return m.orders[due.order].id == due.id


cdef void compact_expiries(Memory *m) noexcept nogil:
    cdef i64 i, kept = 0
    for i in range(m.expiries_used):
        if is_awaited(m, &m.expiries[i]):
            m.expiries[kept] = m.expiries[i]
            kept += 1
    m.expiries_used = kept
    for i in range(kept // 2 - 1, -1, -1):
        sink_expiry(m, i, m.expiries[i])


cdef void drop_stale_expiries(Memory *m) noexcept nogil:
    while m.expiries_used and not is_awaited(m, &m.expiries[0]):
        pop_expiry(m)

# Open orders: in each level a queue in order of arrival.


cdef inline void queue_order(Memory *m, i32 order, i32 number) noexcept nogil:
    """Put the order at the end of a level."""
    cdef Order *o = &m.orders[order]
    cdef Level *level = &m.levels[number]
    o.prev = level.tail
    o.next = 0
    if level.tail:
        m.orders[level.tail].next = order
    else:
        level.head = order
    level.tail = order
    level.quantity += o.remaining - o.hidden
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
    level.quantity -= o.remaining - o.hidden
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


# expiries: by second in no order, the seconds in a heap; what is closed falls out when it comes up, or when it is the
# majority


cdef inline u64 second_hash(i64 at) noexcept nogil:
    return <u64>at * <u64>0x9E3779B97F4A7C15 >> 20


cdef inline i32 find_second(Memory *m, i64 at) noexcept nogil:
    """The second's number, 0 when nothing expires in it."""
    cdef u64 mask = <u64>m.second_places_room - 1, place = second_hash(at) & mask
    while m.second_places[place]:
        if m.seconds[m.second_places[place]].at == at:
            return m.second_places[place]
        place = (place + 1) & mask
    return 0


cdef void put_second_place(Memory *m, i32 second) noexcept nogil:
    cdef u64 mask = <u64>m.second_places_room - 1, place = second_hash(m.seconds[second].at) & mask
    while m.second_places[place]:
        place = (place + 1) & mask
    m.second_places[place] = second


cdef void spread_seconds(Memory *m, i64 least) noexcept nogil:
    """Make the table of the seconds in the heap anew, with room for `least` entries."""
    cdef i64 room = 0, i
    release(m.second_places)
    m.second_places = <i32 *>grown(NULL, &room, least, sizeof(i32))
    m.second_places_room = room
    for i in range(m.second_heap_used):
        put_second_place(m, m.second_heap[i])


cdef i32 new_second(Memory *m, i64 at) noexcept nogil:
    cdef i32 second = m.free_second
    cdef i64 place = m.second_heap_used, parent
    if second:
        m.free_second = m.seconds[second].next
    else:
        second = <i32>m.seconds_used
        m.seconds = <Second *>grown(m.seconds, &m.seconds_room, second + 1, sizeof(Second))
        m.seconds_used += 1
    m.seconds[second].at = at
    m.second_heap = <i32 *>grown(m.second_heap, &m.second_heap_room, place + 1, sizeof(i32))
    m.second_heap_used += 1
    while place:
        parent = (place - 1) >> 1
        if m.seconds[m.second_heap[parent]].at <= at:
            break
        m.second_heap[place] = m.second_heap[parent]
        place = parent
    m.second_heap[place] = second
    if 2 * m.second_heap_used > m.second_places_room:
        spread_seconds(m, 2 * m.second_places_room)
    else:
        put_second_place(m, second)
    m.soonest = m.seconds[m.second_heap[0]].at
    return second


cdef void leave_second_place(Memory *m, i32 second) noexcept nogil:
    """Take the second out of the table, and move those up that were put behind it."""
    cdef u64 mask = <u64>m.second_places_room - 1, at = second_hash(m.seconds[second].at) & mask, behind, home
    while m.second_places[at] != second:
        at = (at + 1) & mask
    behind = (at + 1) & mask
    while m.second_places[behind]:
        home = second_hash(m.seconds[m.second_places[behind]].at) & mask
        if ((behind - home) & mask) >= ((behind - at) & mask):
            m.second_places[at] = m.second_places[behind]
            at = behind
        behind = (behind + 1) & mask
    m.second_places[at] = 0


cdef void sink_second(Memory *m, i64 place, i32 second) noexcept nogil:
    cdef i64 child, count = m.second_heap_used
    while 2 * place + 1 < count:
        child = 2 * place + 1
        if child + 1 < count and m.seconds[m.second_heap[child + 1]].at < m.seconds[m.second_heap[child]].at:
            child += 1
        if m.seconds[second].at <= m.seconds[m.second_heap[child]].at:
            break
        m.second_heap[place] = m.second_heap[child]
        place = child
    m.second_heap[place] = second


cdef i32 pop_second(Memory *m) noexcept nogil:
    """Take the first second out; whoever does frees it."""
    cdef i32 first = m.second_heap[0]
    leave_second_place(m, first)
    m.second_heap_used -= 1
    if m.second_heap_used:
        sink_second(m, 0, m.second_heap[m.second_heap_used])
    m.soonest = m.seconds[m.second_heap[0]].at if m.second_heap_used else NEVER
    m.expiries_count -= m.seconds[first].used
    if m.latest_second == first:
        m.latest_second = 0
    return first


cdef void free_second(Memory *m, i32 second) noexcept nogil:
    cdef Second *s = &m.seconds[second]
    release(s.expiries)
    s.expiries, s.used, s.room = NULL, 0, 0
    s.next = m.free_second
    m.free_second = second


cdef inline void await_expiry(Memory *m, i64 at, i64 number, i64 order) noexcept nogil:
    cdef i32 second = m.latest_second
    cdef Second *s
    if m.seconds[second].at != at or not second:
        second = find_second(m, at)
        if not second:
            second = new_second(m, at)
        m.latest_second = second
    s = &m.seconds[second]
    s.expiries = <Expiry *>grown(s.expiries, &s.room, s.used + 1, sizeof(Expiry))
    s.expiries[s.used].id = number
    s.expiries[s.used].order = order
    s.used += 1
    m.expiries_count += 1
    if unlikely(m.expiries_count > 2 * (m.open_count + m.accounts_used) + 1_024):
        compact_expiries(m)


cdef inline bint is_awaited(Memory *m, i64 at, Expiry *due) noexcept nogil:
    if due.id < 0:
        return m.accounts[-due.id].countdown == at
    return m.orders[due.order].id == due.id


cdef void compact_second(Memory *m, Second *s) noexcept nogil:
    """Drop what is not awaited any more, and a countdown that is there already."""
    cdef i64 i, kept = 0
    cdef Expiry *due
    for i in range(s.used):
        due = &s.expiries[i]
        if i + 8 < s.used and due[8].id > 0:
            fetch_soon(&m.orders[due[8].order])
        if not is_awaited(m, s.at, due):
            continue
        if due.id < 0:
            if m.accounts[-due.id].mark == m.marks:
                continue
            m.accounts[-due.id].mark = m.marks
        s.expiries[kept] = due[0]
        kept += 1
    m.expiries_count -= s.used - kept
    s.used = kept


cdef void compact_expiries(Memory *m) noexcept nogil:
    cdef i64 i, kept = 0
    cdef i32 second
    m.marks += 1
    for i in range(m.second_heap_used):
        second = m.second_heap[i]
        compact_second(m, &m.seconds[second])
        if m.seconds[second].used:
            m.second_heap[kept] = second
            kept += 1
        else:
            free_second(m, second)
    m.second_heap_used = kept
    m.latest_second = 0
    for i in range(kept // 2 - 1, -1, -1):
        sink_second(m, i, m.second_heap[i])
    m.soonest = m.seconds[m.second_heap[0]].at if kept else NEVER
    spread_seconds(m, 2 * kept + 16)


cdef void drop_stale_expiries(Memory *m) noexcept nogil:
    """Make the first second one in which something expires."""
    cdef Second *s
    while m.second_heap_used:
        s = &m.seconds[m.second_heap[0]]
        while s.used:
            if is_awaited(m, s.at, &s.expiries[s.used - 1]):
                return
            s.used -= 1
            m.expiries_count -= 1
        free_second(m, pop_second(m))

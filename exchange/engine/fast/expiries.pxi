# Expiries, in no order: by spans of 256 seconds, and by seconds where the first span is due. Spans and seconds are in a
# heap. What is closed falls out when a span is split, when its second comes up, or when it is the majority.

cdef enum:
    SPAN = 256          # seconds
    SPAN_MASK = 255


cdef inline i64 start_of(i64 key) noexcept nogil:
    """The first second of what has this key: of a span twice that, of a second one more; so a span comes first."""
    return key >> 1


cdef inline bint is_span(i64 key) noexcept nogil:
    return not key & 1


cdef inline i64 time_of(i64 key, Expiry *due) noexcept nogil:
    """When it is due."""
    return (start_of(key) & ~SPAN_MASK) | due.beside


cdef inline u64 second_hash(i64 key) noexcept nogil:
    return <u64>key * <u64>0x9E3779B97F4A7C15 >> 20


cdef inline i32 find_second(Memory *m, i64 key) noexcept nogil:
    """The second's number, 0 when nothing expires in it."""
    cdef u64 mask = <u64>m.second_places_room - 1, place = second_hash(key) & mask
    while m.second_places[place]:
        if m.seconds[m.second_places[place]].key == key:
            return m.second_places[place]
        place = (place + 1) & mask
    return 0


cdef void put_second_place(Memory *m, i32 second) noexcept nogil:
    cdef u64 mask = <u64>m.second_places_room - 1, place = second_hash(m.seconds[second].key) & mask
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


cdef i32 new_second(Memory *m, i64 key) noexcept nogil:
    cdef i32 second = m.free_second
    cdef i64 place = m.second_heap_used, parent
    if second:
        m.free_second = m.seconds[second].next
    else:
        second = <i32>m.seconds_used
        m.seconds = <Second *>grown(m.seconds, &m.seconds_room, second + 1, sizeof(Second))
        m.seconds_used += 1
    m.seconds[second].key = key
    m.second_heap = <i32 *>grown(m.second_heap, &m.second_heap_room, place + 1, sizeof(i32))
    m.second_heap_used += 1
    while place:
        parent = (place - 1) >> 1
        if m.seconds[m.second_heap[parent]].key <= key:
            break
        m.second_heap[place] = m.second_heap[parent]
        place = parent
    m.second_heap[place] = second
    if 2 * m.second_heap_used > m.second_places_room:
        spread_seconds(m, 2 * m.second_places_room)
    else:
        put_second_place(m, second)
    m.soonest = start_of(m.seconds[m.second_heap[0]].key)
    return second


cdef void leave_second_place(Memory *m, i32 second) noexcept nogil:
    """Take the second out of the table, and move those up that were put behind it."""
    cdef u64 mask = <u64>m.second_places_room - 1, at = second_hash(m.seconds[second].key) & mask, behind, home
    while m.second_places[at] != second:
        at = (at + 1) & mask
    behind = (at + 1) & mask
    while m.second_places[behind]:
        home = second_hash(m.seconds[m.second_places[behind]].key) & mask
        if ((behind - home) & mask) >= ((behind - at) & mask):
            m.second_places[at] = m.second_places[behind]
            at = behind
        behind = (behind + 1) & mask
    m.second_places[at] = 0


cdef void sink_second(Memory *m, i64 place, i32 second) noexcept nogil:
    cdef i64 child, count = m.second_heap_used
    while 2 * place + 1 < count:
        child = 2 * place + 1
        if child + 1 < count and m.seconds[m.second_heap[child + 1]].key < m.seconds[m.second_heap[child]].key:
            child += 1
        if m.seconds[second].key <= m.seconds[m.second_heap[child]].key:
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
    m.soonest = start_of(m.seconds[m.second_heap[0]].key) if m.second_heap_used else NEVER
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


cdef inline void file_expiry(Memory *m, i64 key, Expiry *due) noexcept nogil:
    """Put it into its span or second."""
    cdef i32 second = m.latest_second
    cdef Second *s
    if m.seconds[second].key != key or not second:
        second = find_second(m, key)
        if not second:
            second = new_second(m, key)
        m.latest_second = second
    s = &m.seconds[second]
    if unlikely(s.used == s.room):
        s.expiries = <Expiry *>grown(s.expiries, &s.room, s.used + 1, sizeof(Expiry))
    s.expiries[s.used] = due[0]
    fetch_soon(&s.expiries[s.used + 8])
    s.used += 1
    m.expiries_count += 1


cdef inline void await_expiry(Memory *m, i64 at, i64 number, i64 order) noexcept nogil:
    cdef Expiry due
    due.id, due.order, due.beside = number, <i32>order, <i32>(at & SPAN_MASK)
    file_expiry(m, 2 * at + 1 if at < m.split_until else 2 * (at & ~SPAN_MASK), &due)
    if unlikely(m.expiries_count > 4 * (m.open_count + m.accounts_used) + 1_024):
        compact_expiries(m)


cdef inline bint is_awaited(Memory *m, i64 key, Expiry *due) noexcept nogil:
    if due.id < 0:
        return m.accounts[-due.id].countdown == time_of(key, due)
    return m.orders[due.order].id == due.id


cdef void split_span(Memory *m) noexcept nogil:
    """File what is in the first span by seconds, as everything before its end from now on."""
    cdef i32 span = pop_second(m)
    cdef i64 key = m.seconds[span].key, i
    cdef Expiry due
    m.split_until = start_of(key) + SPAN
    for i in range(m.seconds[span].used):
        due = m.seconds[span].expiries[i]
        if is_awaited(m, key, &due):
            file_expiry(m, 2 * time_of(key, &due) + 1, &due)
    free_second(m, span)


cdef inline bint is_kept(Memory *m, i64 key, Expiry *due) noexcept nogil:
    """Whether it is awaited, and no countdown that is there already."""
    cdef bint awaited = is_awaited(m, key, due)
    if likely(due.id > 0) or not awaited:
        return awaited
    if m.accounts[-due.id].mark == m.marks:
        return False
    m.accounts[-due.id].mark = m.marks
    return True


cdef void compact_second(Memory *m, Second *s) noexcept nogil:
    """Drop what is not awaited any more, and a countdown that is there already."""
    cdef i64 i, kept = 0
    cdef Expiry *due
    for i in range(s.used):
        due = &s.expiries[i]
        if i + 8 < s.used and due[8].id > 0:
            fetch_soon(&m.orders[due[8].order])
        s.expiries[kept] = due[0]
        kept += is_kept(m, s.key, due)
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
    m.soonest = start_of(m.seconds[m.second_heap[0]].key) if kept else NEVER
    spread_seconds(m, 2 * kept + 16)


cdef void drop_stale_expiries(Memory *m) noexcept nogil:
    """Make the first second one in which something expires."""
    cdef Second *s
    while m.second_heap_used:
        s = &m.seconds[m.second_heap[0]]
        if is_span(s.key):
            split_span(m)
            continue
        while s.used:
            if is_awaited(m, s.key, &s.expiries[s.used - 1]):
                return
            s.used -= 1
            m.expiries_count -= 1
        free_second(m, pop_second(m))

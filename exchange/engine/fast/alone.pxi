# A book alone, without accounts, money and expiries, to compare it with other books. Its orders queue, match and leave
# as those of the engine do, in the same records.

cdef enum:              # messages
    NEW_ALONE = 0
    CANCEL_ALONE = 1
    MODIFY_ALONE = 2

cdef enum:              # reports
    TAKEN = 0
    TRADED = 1
    DROPPED = 2
    MODIFIED = 3
    NOT_DROPPED = 4
    NOT_MODIFIED = 5
    REPORT_WORDS = 6
    MOST_ALONE = 1 << 28

cdef struct Message:
    u8 kind
    u8 side
    u8 ioc              # what is missing does not rest
    u8 zero
    uint32_t lots
    i64 sequence
    i64 id
    i64 price
    i64 zeros

cdef struct Alone:
    Memory *m
    i32 *numbers        # of the records of open orders, by the ids that the messages give them; 0 for none
    i64 numbers_room
    i64 *reports
    i64 reports_used
    i64 reports_room


cdef inline void report(Alone *a, i64 kind, i64 sequence, i64 side, i64 id, i64 price, i64 lots, i64 taker) noexcept nogil:
    if unlikely(a.reports_used + REPORT_WORDS > a.reports_room):
        a.reports = <i64 *>grown(a.reports, &a.reports_room, a.reports_used + REPORT_WORDS, sizeof(i64))
    cdef i64 *words = a.reports + a.reports_used
    a.reports_used += REPORT_WORDS
    words[0], words[1], words[2] = kind | side << 8, sequence, id
    words[3], words[4], words[5] = price, lots, taker


cdef inline void leave_alone(Alone *a, i32 number) noexcept nogil:
    """Take an order out of the book; its record is free."""
    cdef Memory *m = a.m
    cdef Order *o = &m.orders[number]
    a.numbers[o.id] = 0
    unqueue_order(m, number)
    o.next = m.free_order
    m.free_order = number
    m.open_count -= 1


cdef inline void rest_alone(Alone *a, Message *it, i64 missing) noexcept nogil:
    cdef Memory *m = a.m
    cdef i32 number = new_order(m), span
    cdef i64 key = tick_key(&m.books[1], it.side, it.price)
    cdef Order *o = &m.orders[number]
    o.id, o.remaining, o.side = it.id, missing, it.side
    span = find_span(m, 2 + it.side, key >> 6)
    queue_order(m, number, level_at(m, span, key) or new_level(m, 2 + it.side, span, key, it.price))
    a.numbers[it.id] = number


cdef inline i64 place_alone(Alone *a, Message *it) noexcept nogil:
    """Match an order, and let rest what is missing then unless it is immediate; returns that."""
    cdef Memory *m = a.m
    cdef Half *half = &m.books[1].halves[1 - it.side]
    cdef Level *level
    cdef Order *maker
    cdef i64 limit = half.sign * it.price, missing = it.lots, lots
    while missing and half.best >= limit:
        level = &m.levels[half.top]
        maker = &m.orders[level.head]
        lots = missing if missing < maker.remaining else maker.remaining
        report(a, TRADED, it.sequence, it.side, maker.id, level.price, lots, it.id)
        missing -= lots
        maker.remaining -= lots
        level.quantity -= lots
        if maker.remaining == 0:
            leave_alone(a, level.head)
    if missing and not it.ioc:
        rest_alone(a, it, missing)
    return missing


cdef inline void play_alone(Alone *a, Message *it) noexcept nogil:
    """One message and its reports."""
    cdef i64 missing
    cdef i32 number = a.numbers[it.id]
    if it.kind == NEW_ALONE:
        report(a, TAKEN, it.sequence, it.side, it.id, it.price, it.lots, 0)
        missing = place_alone(a, it)
        if missing and it.ioc:
            report(a, DROPPED, it.sequence, it.side, it.id, it.price, missing, 0)
    elif number == 0:
        report(a, NOT_DROPPED if it.kind == CANCEL_ALONE else NOT_MODIFIED, it.sequence, 0, it.id, 0, 0, 0)
    elif it.kind == CANCEL_ALONE:
        report(a, DROPPED, it.sequence, a.m.orders[number].side, it.id, a.m.levels[a.m.orders[number].level].price, 0, 0)
        leave_alone(a, number)
    else:
        leave_alone(a, number)
        place_alone(a, it)
        report(a, MODIFIED, it.sequence, it.side, it.id, it.price, it.lots, 0)


cdef class BookAlone:
    """One book by itself."""

    cdef Core core
    cdef Alone alone

    def __cinit__(self, i64 tick_size=1):
        self.core = Core(None)
        memset(&self.alone, 0, sizeof(Alone))
        self.alone.m = &self.core.m
        if tick_size < 1:
            raise ValueError("a tick is at least 1")
        if self.core.add_book(1, 0, 1, 1, tick_size, 0, 0, 0, 0) != 1:
            raise RuntimeError("a core begins with its first book")

    def __dealloc__(self):
        release(self.alone.numbers)
        release(self.alone.reports)

    def play(self, const u8[::1] messages):
        cdef Alone *a = &self.alone
        cdef i64 count = messages.shape[0] // <i64>sizeof(Message), i, most = 0, tick = a.m.books[1].tick_size
        cdef Message *first = <Message *>&messages[0] if count else NULL
        for i in range(count):
            if first[i].kind > MODIFY_ALONE or first[i].side > 1 or first[i].lots == 0 or first[i].price < 1:
                raise ValueError(f"message {i} is none")
            if first[i].kind != CANCEL_ALONE and first[i].price % tick:
                raise ValueError(f"message {i} is none")
            if first[i].id < 0 or first[i].id >= MOST_ALONE:
                raise ValueError(f"message {i} has an id beyond the book's")
            most = max(most, first[i].id)
        a.numbers = <i32 *>grown(a.numbers, &a.numbers_room, most + 1, sizeof(i32))
        a.reports_used = 0
        with nogil:
            for i in range(count):
                play_alone(a, &first[i])
                if a.m.dropped_level:
                    free_dropped_levels(a.m)
        return PyMemoryView_FromMemory(<char *>a.reports, a.reports_used * 8, 0x100)

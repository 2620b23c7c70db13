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

cdef struct Report:
    u64 what            # kind 8, side 8, nothing 16, lots 32
    u64 ids             # 32 bits each: the order's or the maker's, the taker's
    i64 sequence
    i64 price

cdef struct Alone:
    Memory *m
    i32 *numbers        # of the records of open orders, by the ids that the messages give them; 0 for none
    i64 numbers_room
    Report *reports
    i64 reports_room
    Report *next        # the next one's place


cdef inline void report(Alone *a, u64 kind, i64 sequence, u64 side, u64 id, i64 price, u64 lots, u64 taker) noexcept nogil:
    cdef Report *to = a.next
    a.next = to + 1
    to.what, to.ids = kind | side << 8 | lots << 32, id | taker << 32
    to.sequence, to.price = sequence, price


cdef inline void leave_alone(Alone *a, i32 number) noexcept nogil:
    """Take an order out of the book; its record is free."""
    cdef Memory *m = a.m
    cdef Order *o = &m.orders[number]
    a.numbers[o.id] = 0
    unqueue_order(m, number)
    o.next = m.free_order
    m.free_order = number
    m.open_count -= 1


cdef inline i32 level_alone(Memory *m, i32 side, i64 price) noexcept nogil:
    """The level at a price, made now if it is new."""
    cdef i64 key = tick_key(&m.books[1], side, price)
    cdef i32 span = find_span(m, 2 + side, key >> 6), level = level_at(m, span, key)
    if level:
        return level
    if m.free_level == 0:  # nobody is told of those that were dropped
        m.free_level = m.dropped_level
        m.dropped_level = 0
    return new_level(m, 2 + side, span, key, price)


cdef inline void rest_alone(Alone *a, Message *it, i64 missing) noexcept nogil:
    cdef Memory *m = a.m
    cdef i32 number = new_order(m)
    cdef Order *o = &m.orders[number]
    o.id, o.remaining, o.side = it.id, missing, it.side
    queue_order(m, number, level_alone(m, it.side, it.price))
    a.numbers[it.id] = number


cdef inline i64 match_alone(Alone *a, Message *it) noexcept nogil:
    """Match an order; returns what is missing then."""
    cdef Memory *m = a.m
    cdef Half *half = &m.books[1].halves[1 - it.side]
    cdef Level *level
    cdef Order *maker
    cdef i64 limit = half.sign * it.price, missing = it.lots
    while half.best >= limit:
        level = &m.levels[half.top]
        maker = &m.orders[level.head]
        if missing < maker.remaining:
            report(a, TRADED, it.sequence, it.side, maker.id, level.price, missing, it.id)
            maker.remaining -= missing
            level.quantity -= missing
            return 0
        report(a, TRADED, it.sequence, it.side, maker.id, level.price, maker.remaining, it.id)
        missing -= maker.remaining
        leave_alone(a, level.head)
        if missing == 0:
            return 0
    return missing


cdef inline void end_alone(Alone *a, Message *it, i32 number) noexcept nogil:
    """Cancel an order, 0 for one that there is not."""
    cdef Order *o = &a.m.orders[number]
    if number == 0:
        report(a, NOT_DROPPED, it.sequence, 0, it.id, 0, 0, 0)
        return
    report(a, DROPPED, it.sequence, o.side, it.id, a.m.levels[o.level].price, 0, 0)
    leave_alone(a, number)


cdef inline void play_alone(Alone *a, Message *it) noexcept nogil:
    """One message and its reports."""
    cdef i64 missing
    cdef i32 number = a.numbers[it.id]
    if it.kind == CANCEL_ALONE:
        end_alone(a, it, number)
        return
    if it.kind == NEW_ALONE:
        report(a, TAKEN, it.sequence, it.side, it.id, it.price, it.lots, 0)
    elif number:
        leave_alone(a, number)
    else:
        report(a, NOT_MODIFIED, it.sequence, 0, it.id, 0, 0, 0)
        return
    missing = match_alone(a, it)
    if missing and not it.ioc:
        rest_alone(a, it, missing)
    if it.kind == MODIFY_ALONE:
        report(a, MODIFIED, it.sequence, it.side, it.id, it.price, it.lots, 0)
    elif missing and it.ioc:
        report(a, DROPPED, it.sequence, it.side, it.id, it.price, missing, 0)


cdef inline bint is_message(Message *it, i64 tick) noexcept nogil:
    if it.kind > MODIFY_ALONE or it.side > 1 or it.lots == 0 or it.price < 1:
        return False
    return it.kind == CANCEL_ALONE or it.price % tick == 0


cdef inline bint has_id(Message *it) noexcept nogil:
    return 0 <= it.id < MOST_ALONE


cdef inline u64 off_tick(Book *book, i64 price) noexcept nogil:
    """Not 0 for a price that is no multiple of the tick: of such a one, ticks come out larger than they can be."""
    return ((<u64>price & ((<u64>1 << book.tick_zeros) - 1))
            | (<u64>ticks_of(book, price) > MAX_AMOUNT // book.tick_size))


cdef i64 highest_of(Book *book, Message *first, i64 count) noexcept nogil:
    """A number that no message's id is above, -1 if one of them is none. All are looked at, without a branch."""
    cdef Message *it
    cdef i64 negative = 0, i
    cdef u64 wrong = 0, ids = 0
    for i in range(count):
        it = &first[i]
        wrong |= (<u64>it.kind + 253 | <u64>it.side + 254) >> 8
        wrong |= off_tick(book, it.price) & ((<u64>it.kind & 1) - 1)
        negative |= it.price - 1 | it.price | <i64>it.lots - 1
        ids |= <u64>it.id
    return -1 if wrong or negative < 0 or ids >= MOST_ALONE else <i64>ids


cdef void make_room_alone(Alone *a, i64 room) noexcept nogil:
    """Take the memory for so many open orders, ids and messages, so that it is there when they come."""
    cdef Memory *m = a.m
    cdef i64 papers = m.orders_room, number
    m.orders = <Order *>grown(m.orders, &m.orders_room, room + 1, sizeof(Order))
    m.papers = <Paper *>grown(m.papers, &papers, m.orders_room, sizeof(Paper))
    m.levels = <Level *>grown(m.levels, &m.levels_room, room >> 4, sizeof(Level))
    m.spans = <Span *>grown(m.spans, &m.spans_room, room >> 8, sizeof(Span))
    for number in range(room, 0, -1):
        m.orders[number].next = m.free_order
        m.free_order = <i32>number
    m.orders_used = room + 1
    a.numbers = <i32 *>grown(NULL, &a.numbers_room, room, sizeof(i32))
    a.reports = <Report *>grown(NULL, &a.reports_room, 3 * room, sizeof(Report))
    memset(a.numbers, 0, a.numbers_room * sizeof(i32))
    memset(a.reports, 0, a.reports_room * sizeof(Report))


cdef class BookAlone:
    """One book by itself."""

    cdef Core core
    cdef Alone alone

    def __cinit__(self, i64 tick_size=1, i64 room=1 << 16):
        self.core = Core(None)
        memset(&self.alone, 0, sizeof(Alone))
        self.alone.m = &self.core.m
        if tick_size < 1:
            raise ValueError("a tick is at least 1")
        if not 0 < room < MOST_ALONE:
            raise ValueError("a book has room for 1 order to 2^28")
        if self.core.add_book(1, 0, 1, 1, tick_size, 0, 0, 0, 0) != 1:
            raise RuntimeError("a core begins with its first book")
        make_room_alone(&self.alone, room)

    def __dealloc__(self):
        release(self.alone.numbers)
        release(self.alone.reports)

    cdef i64 checked(self, Message *first, i64 count) except -1:
        """A number that no id is above."""
        cdef Book *book = &self.core.m.books[1]
        cdef i64 highest = highest_of(book, first, count), i
        for i in range(count if highest < 0 else 0):
            if not is_message(&first[i], book.tick_size):
                raise ValueError(f"message {i} is none")
            if not has_id(&first[i]):
                raise ValueError(f"message {i} has an id beyond the book's")
        return highest

    def play(self, const u8[::1] messages):
        cdef Alone *a = &self.alone
        cdef i64 count = messages.shape[0] // <i64>sizeof(Message), i
        cdef Message *first = <Message *>&messages[0] if count else NULL
        cdef i64 highest = self.checked(first, count)
        a.numbers = <i32 *>grown(a.numbers, &a.numbers_room, highest + 1, sizeof(i32))
        # an order ends once, and what does not end an order ends the message's own: so many at most
        a.reports = <Report *>grown(a.reports, &a.reports_room, 3 * count + a.m.open_count, sizeof(Report))
        a.next = a.reports
        with nogil:
            for i in range(count):
                play_alone(a, &first[i])
        return PyMemoryView_FromMemory(<char *>a.reports, <char *>a.next - <char *>a.reports, 0x100)

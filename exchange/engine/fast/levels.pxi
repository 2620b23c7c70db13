# Live prices. A span holds the levels of 64 neighbouring ticks of a side, and a word with a bit for each that is there.
# Ticks count so that on both sides the best is the highest: the asks' are inverted. A span exists while one of its levels
# does; it is found by hash, and the spans of a side are linked from the best on, with shortcuts over the next ones, so that
# finding a new one's place takes about as many steps as the number of spans has digits, wherever prices stand.

cdef enum:
    TICKS = 64          # of a span
    FLOORS = 9          # of its links: on each one of four spans of the floor below


cdef inline i64 ticks_of(Book *book, i64 price) noexcept nogil:
    """How many ticks a price has; of one that is off the tick, a number that times the tick is another or too large."""
    return <i64>((<u64>price >> book.tick_zeros) * book.tick_inverse)


cdef inline i64 tick_key(Book *book, i32 side, i64 price) noexcept nogil:
    """A price's place among the ticks of its side."""
    return ticks_of(book, price) ^ -<i64>side


cdef inline u64 span_hash(Memory *m, i32 half, i64 number) noexcept nogil:
    return mixed(<u64>number ^ m.seed, <u64>half)


cdef inline i32 find_span(Memory *m, i32 half, i64 number) noexcept nogil:
    """The span, 0 when none of its levels is there."""
    cdef u64 mask = <u64>m.span_places_room - 1, at = span_hash(m, half, number) & mask
    cdef SpanPlace *place
    while True:
        place = &m.span_places[at]
        if (place.number == number) & (place.half == half) | (place.span == 0):
            return place.span
        at = (at + 1) & mask


cdef inline i32 level_at(Memory *m, i32 span, i64 key) noexcept nogil:
    """The level in a span, 0 when nobody has an order there."""
    return m.spans[span].levels[key & 63]  # span 0 stays empty


cdef inline i32 best_of(Span *span) noexcept nogil:
    return span.levels[63 - leading_zeros(span.live)]


cdef inline i32 worse_level(Memory *m, i32 number) noexcept nogil:
    """The next level behind one, 0 behind the last."""
    cdef Level *level = &m.levels[number]
    cdef Span *span = &m.spans[level.span]
    cdef u64 behind = span.live & ((<u64>1 << level.bit) - 1)
    if behind:
        return span.levels[63 - leading_zeros(behind)]
    return best_of(&m.spans[span.worse[0]]) if span.worse[0] else 0


cdef inline i32 best_order(Memory *m, i32 book, i32 side) noexcept nogil:
    """The first order of the side's best level, 0 when it has none."""
    return m.levels[m.books[book].halves[side].top].head


cdef inline bint is_guessed(Incoming *it) noexcept nogil:
    """Whether the guess has the price's key, so that the price is a multiple of the tick."""
    return product(it.guess.key ^ -<i64>it.side, it.book.tick_size) == it.price


cdef inline i32 level_for(Memory *m, Incoming *it) noexcept nogil:
    """The level where an order will rest, made now if it is new."""
    cdef i64 key = it.guess.key if likely(is_guessed(it)) else tick_key(it.book, it.side, it.price)
    cdef i32 half = 2 * it.book_number + it.side, span = it.guess.span
    if unlikely(m.spans[span].number != key >> 6 or m.spans[span].half != half or m.spans[span].live == 0):
        span = find_span(m, half, key >> 6)
    return level_at(m, span, key) or new_level(m, half, span, key, it.price)


# spans


cdef inline void put_span_place(Memory *m, SpanPlace place) noexcept nogil:
    cdef u64 mask = <u64>m.span_places_room - 1, at = span_hash(m, place.half, place.number) & mask
    while m.span_places[at].span:
        at = (at + 1) & mask
    m.span_places[at] = place


cdef void enter_span(Memory *m, i32 span, i32 half, i64 number) noexcept nogil:
    cdef SpanPlace place
    cdef SpanPlace *before = m.span_places
    cdef i64 room = 0, i, count = m.span_places_room
    m.span_places_used += 1
    if 4 * m.span_places_used > m.span_places_room:
        m.span_places = <SpanPlace *>grown(NULL, &room, 2 * m.span_places_room, sizeof(SpanPlace))
        m.span_places_room = room
        for i in range(count):
            if before[i].span:
                put_span_place(m, before[i])
        release(before)
    place.number, place.half, place.span = number, half, span
    put_span_place(m, place)


cdef void leave_span(Memory *m, i32 span, i32 half, i64 number) noexcept nogil:
    """Take the span out of the table, and move those up that were put behind it."""
    cdef u64 mask = <u64>m.span_places_room - 1, at = span_hash(m, half, number) & mask, behind, home
    while m.span_places[at].span != span:
        at = (at + 1) & mask
    behind = (at + 1) & mask
    while m.span_places[behind].span:
        home = span_hash(m, m.span_places[behind].half, m.span_places[behind].number) & mask
        if ((behind - home) & mask) >= ((behind - at) & mask):
            m.span_places[at] = m.span_places[behind]
            at = behind
        behind = (behind + 1) & mask
    m.span_places[at].span = 0
    m.span_places_used -= 1


cdef inline i32 floors_for(Memory *m) noexcept nogil:
    """How many floors a new span's links have: one more at one chance in four."""
    m.draws = mixed(m.draws + 1, m.seed)
    return min(1 + (leading_zeros(m.draws | 1) >> 1), FLOORS)


cdef void seek_spans(Memory *m, Half *half, i64 number, i32 **before) noexcept nogil:
    """Where on each floor the links to a span stand, or would stand."""
    cdef i32 floor
    cdef i32 *links = half.spans
    for floor in range(FLOORS - 1, -1, -1):
        while links[floor] and m.spans[links[floor]].number > number:
            links = m.spans[links[floor]].worse
        before[floor] = &links[floor]


cdef i32 new_span(Memory *m, i32 number_of_half, i64 number) noexcept nogil:
    """An empty span in its side."""
    cdef Half *half = &m.books[number_of_half >> 1].halves[number_of_half & 1]
    cdef i32 span = m.free_span, floor
    cdef i32 *before[FLOORS]
    if span:
        m.free_span = m.spans[span].worse[0]
    else:
        span = <i32>m.spans_used
        m.spans = <Span *>grown(m.spans, &m.spans_room, span + 1, sizeof(Span))
        m.spans_used += 1
    seek_spans(m, half, number, before)
    memset(m.spans[span].worse, 0, sizeof(m.spans[span].worse))
    for floor in range(floors_for(m)):
        m.spans[span].worse[floor] = before[floor][0]
        before[floor][0] = span
    m.spans[span].number, m.spans[span].half = number, number_of_half
    enter_span(m, span, number_of_half, number)
    return span


cdef void drop_span(Memory *m, i32 number_of_half, i32 span) noexcept nogil:
    """Take an empty span out of its side."""
    cdef Half *half = &m.books[number_of_half >> 1].halves[number_of_half & 1]
    cdef i64 number = m.spans[span].number
    cdef i32 floor
    cdef i32 *before[FLOORS]
    seek_spans(m, half, number, before)
    for floor in range(FLOORS):
        if before[floor][0] == span:
            before[floor][0] = m.spans[span].worse[floor]
    leave_span(m, span, number_of_half, number)
    m.spans[span].worse[0] = m.free_span
    m.free_span = span


# levels


cdef i32 new_level(Memory *m, i32 number_of_half, i32 span, i64 key, i64 price) noexcept nogil:
    """An empty level in its side, and in its span if that is there already."""
    cdef Half *half = &m.books[number_of_half >> 1].halves[number_of_half & 1]
    cdef i32 number = m.free_level
    if number:
        m.free_level = m.levels[number].head
        fetch_soon(&m.levels[m.free_level])
    else:
        number = <i32>m.levels_used
        m.levels = <Level *>grown(m.levels, &m.levels_room, number + 1, sizeof(Level))
        m.levels_used += 1
    if unlikely(span == 0):
        span = new_span(m, number_of_half, key >> 6)
    cdef Level *level = &m.levels[number]
    memset(level, 0, sizeof(Level))
    level.price, level.book, level.side = price, number_of_half >> 1, number_of_half & 1
    level.span, level.bit = span, <i32>(key & 63)
    m.spans[span].levels[level.bit] = number
    m.spans[span].live |= <u64>1 << level.bit
    if half.sign * price > half.best:
        half.best, half.top = half.sign * price, number
    return number


cdef inline void drop_level(Memory *m, i32 number) noexcept nogil:
    """Take an empty level out of its side; it is told of before its record is used again."""
    cdef Level *gone = &m.levels[number]
    cdef Half *half = &m.books[gone.book].halves[gone.side]
    cdef Span *span = &m.spans[gone.span]
    if half.top == number:
        half.top = worse_level(m, number)
        half.best = half.sign * m.levels[half.top].price if half.top else NO_PRICE
    span.live ^= <u64>1 << gone.bit
    span.levels[gone.bit] = 0
    if unlikely(span.live == 0):
        drop_span(m, 2 * gone.book + gone.side, gone.span)
    gone.head = m.dropped_level
    m.dropped_level = number


cdef inline void free_dropped_levels(Memory *m) noexcept nogil:
    cdef i32 level
    while m.dropped_level:
        level = m.dropped_level
        m.dropped_level = m.levels[level].head
        m.levels[level].head = m.free_level
        m.free_level = level

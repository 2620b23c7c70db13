# Frames: packed orders of one account under one signature, placed one after another as exchange.engine.frames places them.
# Those of a plain frame are written as commands, and looked at, some time before their turn, as ahead.pxi does with a run;
# those of a mixed frame, which may need Python, when it comes.

cdef enum:
    WRITTEN = 16        # orders of a frame that stand as commands at a time, as many as there are guesses
    MAX_SIGNATURE = 65 + 2 + 32 * MAX_HEIGHT

cdef struct Framed:     # a frame, and the room in which its orders become commands
    i64 seq
    i64 at_ms
    i64 count
    i64 height          # of the tree over its orders
    const u8 *orders
    const u8 *digests
    const u8 *nodes     # of that tree, the orders' own hashes first
    const u8 *amends    # bits of a mixed frame, else NULL
    i32 account
    i32 flaws[WRITTEN]  # of the orders that are written, as refusals
    Guess guesses[WRITTEN]
    u8 commands[WRITTEN * COMMAND_SIZE]
    u8 signature[MAX_SIGNATURE]


cdef void set_up_frame(Memory *m, Framed *f, const u8 *signature, const u8 *signer, u8 scheme) noexcept nogil:
    """Write what all its commands have in common."""
    cdef i64 i
    cdef u8 *command
    memset(f.commands, 0, sizeof(f.commands))
    memcpy(f.signature, signature, 65)
    for i in range(WRITTEN):
        command = f.commands + i * COMMAND_SIZE
        command[0], command[2] = PLACE, scheme
        (<uint16_t *>command)[26] = <uint16_t>(67 + 32 * f.height)
        memcpy(command + ACCOUNT_AT, f.orders, 20)
        memcpy(command + SIGNER, signer, 20)
    f.account = account_from(m, f.orders, address_hash(m, f.orders) & <u64>(m.by_address_room - 1))


cdef inline u8 *write_order(Framed *f, i64 index) noexcept nogil:
    """An order of the frame as a command, but for its way up; notes what is wrong with it."""
    cdef const u8 *order = f.orders + 80 * index
    cdef u8 *command = f.commands + <u64>index % WRITTEN * COMMAND_SIZE
    f.flaws[<u64>index % WRITTEN] = check_plain(order)
    write_command(order, command)
    memcpy(command + ORDER_HASH, f.digests + 32 * index, 32)
    return command


cdef inline void write_path(Framed *f, i64 index, u8 *command) noexcept nogil:
    """The order's place, and the hashes beside its way up, behind the frame's signature. Nobody reads those of an order
    that never rests."""
    cdef const u8 *level = f.nodes
    cdef u8 *beside = f.signature + 67
    cdef i64 width = <i64>1 << f.height, i
    f.signature[65], f.signature[66] = <u8>(index >> 8), <u8>(index & 255)
    if rests(word(command, 7)):
        for i in range(f.height):
            memcpy(beside + 32 * i, level + 32 * (index ^ 1), 32)
            level += 32 * width
            width >>= 1
            index >>= 1
    if unlikely(f.height == 1):  # a short one stands in the command itself
        memcpy(command + INSIDE, f.signature, 67 + 32)


cdef inline void look_ahead_in_frame(Memory *m, Framed *f, i64 i) noexcept nogil:
    """Look at orders behind the one numbered `i` (below zero before the first of all), each a step further."""
    cdef u64 at = <u64>(i + RECORDS_AHEAD)
    if at < <u64>f.count:
        guess_records_of(m, &f.guesses[at % WRITTEN], write_order(f, <i64>at), f.account)
    at = <u64>(i + PLACES_AHEAD)
    if at < <u64>f.count:
        guess_places(m, &f.guesses[at % WRITTEN], f.commands + at % WRITTEN * COMMAND_SIZE)
    at = <u64>(i + ORDERS_AHEAD)
    if at < <u64>f.count:
        guess_orders(m, &f.guesses[at % WRITTEN], f.commands + at % WRITTEN * COMMAND_SIZE)
    at = <u64>(i + NEIGHBOURS_AHEAD)
    if at < <u64>f.count:
        guess_neighbours(m, &f.guesses[at % WRITTEN], f.commands + at % WRITTEN * COMMAND_SIZE)


cdef i64 place_plain(Memory *m, Framed *f) noexcept nogil:
    """Place the orders of a plain frame, as `run_frame` says."""
    cdef i64 i
    cdef i32 refusal
    cdef u64 at
    cdef u8 *command
    for i in range(-RECORDS_AHEAD, f.count):
        look_ahead_in_frame(m, f, i)
        if i < 0:
            continue
        at = <u64>i % WRITTEN
        m.message = i
        refusal = f.flaws[at]
        if likely(refusal == 0):
            command = f.commands + at * COMMAND_SIZE
            write_path(f, i, command)
            refusal = place(m, f.seq | i << 40, f.at_ms, command, f.signature, &f.guesses[at])
            if unlikely(m.failed):
                return i
        m.outcomes[i].refusal = refusal
    return f.count


cdef i32 place_in_python(Memory *m, i64 index) noexcept with gil:
    """Place the order at a place of a mixed frame as the reference does; its refusal as refusals.py says, or 0."""
    m.changes += 1
    try:
        return (<object>m.owner).place_mixed(index)
    except BaseException as error:
        fail(m, error)
        return 0


cdef i32 place_of_mixed(Memory *m, Framed *f, i64 i, u8 *command, bint amends) noexcept nogil:
    """Place an order of a mixed frame, which may take the place of another; the refusal's number, or 0."""
    cdef Guess guess
    cdef i64 number = f.seq | i << 40, displayed = displayed_in(f.orders + 80 * i)
    cdef i32 flaw = check_numbers(f.orders + 80 * i) if displayed else f.flaws[<u64>i % WRITTEN]
    if flaw:
        return place_in_python(m, i) if amends or flaw == UNSUPPORTED_TERMS else flaw
    write_path(f, i, command)
    guess_now(m, &guess, command)
    if amends:
        if amend_here(m, number, f.at_ms, command, f.signature, &guess, displayed) or m.failed:
            return 0
        return place_in_python(m, i)
    if displayed:
        return place_displayed(m, number, f.at_ms, command, f.signature, &guess, displayed)
    return place(m, number, f.at_ms, command, f.signature, &guess)


cdef i64 place_mixed(Memory *m, Framed *f) noexcept nogil:
    """Place the orders of a mixed frame, as `run_frame` says."""
    cdef i64 i
    cdef i32 refusal
    for i in range(f.count):
        m.message = i
        refusal = place_of_mixed(m, f, i, write_order(f, i), f.amends[i >> 3] >> (i & 7) & 1)
        if m.failed:
            return i
        m.outcomes[i].refusal = refusal
    return f.count


cdef i64 refuse_frame(Memory *m, Framed *f) noexcept nogil:
    """Refuse all orders of a frame: others have their turn first."""
    cdef i64 i
    for i in range(f.count):
        m.outcomes[i].refusal = UNAVAILABLE
    return f.count


cdef bytes refusals(Memory *m, i64 count):
    """A byte for each of the last run's first outcomes."""
    found = PyBytes_FromStringAndSize(NULL, count)
    cdef u8 *at = <u8 *>PyBytes_AS_STRING(found)
    cdef i64 i
    for i in range(count):
        at[i] = <u8>m.outcomes[i].refusal
    return found


cdef i64 run_frame(Memory *m, Framed *f) noexcept nogil:
    """Place them; returns how many were placed before something failed. An outcome for each."""
    cdef i64 done
    m.stamp += 1
    m.record_fills = m.record_hashes = 0
    if unlikely(m.has_due) and is_others_turn(m, f.at_ms):
        return refuse_frame(m, f)
    m.in_frame = True
    done = place_mixed(m, f) if f.amends != NULL else place_plain(m, f)
    m.in_frame = False
    if m.failed:
        return done
    m.record_fills = m.record_hashes = 0
    m.message = f.count
    if not m.silent:
        tell_changes(m)
    free_dropped_levels(m)
    return done

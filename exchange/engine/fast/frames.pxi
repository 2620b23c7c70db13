# Packed orders as they were signed: a frame's, one after another, as exchange.engine.frames places them in the same order;
# and single ones.

cdef inline i64 number_at(const u8 *bytes, i32 size) noexcept nogil:
    """A big-endian number, as packed orders carry them."""
    cdef u64 number = 0
    cdef i32 i
    for i in range(size):
        number = number << 8 | bytes[i]
    return <i64>number


cdef inline i32 check_plain(const u8 *order) noexcept nogil:
    """Only plain terms, and numbers that the ledger counts, come in frames."""
    if number_at(order + 64, 8) or number_at(order + 72, 8) & ~TERMS or not is_known(number_at(order + 72, 8)):
        return UNSUPPORTED_TERMS
    if number_at(order + 32, 8) < 0 or number_at(order + 40, 8) < 0 or number_at(order + 56, 8) < 0:
        return AMOUNT_OUT_OF_RANGE
    return 0


cdef inline void write_command(const u8 *order, u8 *command) noexcept nogil:
    """A packed order as the core reads it (packing.py); what is the frame's stands there already."""
    cdef i64 *words = <i64 *>command
    command[1] = order[31]
    (<uint32_t *>command)[1] = <uint32_t>number_at(order + 20, 4)
    words[1], words[2], words[3] = number_at(order + 32, 8), number_at(order + 40, 8), number_at(order + 48, 8)
    words[4], words[5] = number_at(order + 24, 5), number_at(order + 56, 8)
    (<i32 *>command)[12] = <i32>number_at(order + 29, 2)
    words[7] = number_at(order + 72, 8)
    memcpy(command + ACCOUNT_AT, order, 20)


cdef inline bint write_single(const u8 *record, const i64 *layout, u8 *command) noexcept nogil:
    """A signed order by itself; whether it fits, as `packing.pack` does."""
    cdef const u8 *order = record + layout[0]
    if check_plain(order):
        return False
    memset(command, 0, COMMAND_SIZE)
    command[0], command[2] = PLACE, record[layout[2]]
    write_command(order, command)
    (<uint16_t *>command)[26] = 65
    memcpy(command + SIGNER, record + layout[4], 20)
    memcpy(command + ORDER_HASH, record + layout[1], 32)
    memcpy(command + INSIDE, record + layout[3], 65)
    return True


def pack_singles(const u8[::1] records, i64 size, layout):
    cdef i64 count = records.shape[0] // size if size > 0 else 0, i
    cdef i64 places[5]
    cdef i64 *room = [80, 32, 1, 65, 20]
    for i in range(5):
        places[i] = layout[i]
        if places[i] < 0 or places[i] > size - room[i]:
            raise ValueError("a part is not within its record")
    if records.shape[0] != size * count:
        raise ValueError("the records are not whole")
    commands = PyBytes_FromStringAndSize(NULL, count * COMMAND_SIZE)
    cdef u8 *at = <u8 *>PyBytes_AS_STRING(commands)
    for i in range(count):
        if not write_single(&records[i * size], places, at + i * COMMAND_SIZE):
            return None
    return commands


cdef inline void write_path(const u8 *nodes, i64 index, i64 height, u8 *blob) noexcept nogil:
    """The order's place, and the hashes beside its way up, behind the frame's signature."""
    cdef const u8 *level = nodes
    cdef i64 width = <i64>1 << height, i
    blob[65], blob[66] = <u8>(index >> 8), <u8>(index & 255)
    for i in range(height):
        memcpy(blob + 67 + 32 * i, level + 32 * (index ^ 1), 32)
        level += 32 * width
        width >>= 1
        index >>= 1


cdef i32 place_in_python(Memory *m, i64 index) noexcept with gil:
    """Place the order at a place of a mixed frame as the reference does; its refusal as refusals.py says, or 0."""
    m.changes += 1
    try:
        return (<object>m.owner).place_mixed(index)
    except BaseException as error:
        fail(m, error)
        return 0


cdef i64 run_frame(Memory *m, i64 seq, i64 at_ms, const u8 *orders, i64 count, const u8 *digests, const u8 *nodes,
                   i64 height, const u8 *amends, u8 *command, u8 *blob) noexcept nogil:
    """Place them; returns how many were placed before something failed. An outcome for each. `amends` are the bits of a
    mixed frame."""
    cdef i64 index
    cdef i32 refusal, flaw
    cdef bint amends_one = False
    cdef Guess guess
    m.stamp += 1
    m.record_fills = m.record_hashes = 0
    cdef i32 blocked = UNAVAILABLE if m.has_due and is_others_turn(m) else 0
    m.in_frame = True
    for index in range(count):
        m.message = index
        flaw = check_plain(orders + 80 * index)
        refusal = blocked or flaw
        if unlikely(amends != NULL):
            amends_one = amends[index >> 3] >> (index & 7) & 1
        if refusal == 0:
            write_command(orders + 80 * index, command)
            memcpy(command + ORDER_HASH, digests + 32 * index, 32)
            write_path(nodes, index, height, blob)
            if signature_size(command) <= INLINE:
                memcpy(command + INSIDE, blob, signature_size(command))
            guess_now(m, &guess, command)
            if likely(not amends_one):
                refusal = place(m, seq | index << 40, at_ms, command, blob, &guess)
            elif not amend_here(m, seq | index << 40, at_ms, command, blob, &guess) and not m.failed:
                refusal = place_in_python(m, index)
        elif amends != NULL and not blocked and (amends_one or flaw == UNSUPPORTED_TERMS):
            refusal = place_in_python(m, index)
        if m.failed:
            break
        m.outcomes[index].refusal = refusal
    m.in_frame = False
    if m.failed:
        return index
    m.record_fills = m.record_hashes = 0
    m.message = count
    if not m.silent:
        tell_changes(m)
    free_dropped_levels(m)
    return count

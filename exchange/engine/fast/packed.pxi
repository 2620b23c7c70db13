# Packed orders as they were signed, as the commands that the core reads: single ones here, a frame's in frames.pxi.

cdef extern from *:
    """
    /* numbers as packed orders carry them: of eight and of four bytes, the highest first */
    static inline uint64_t big_endian(const uint8_t *bytes) {
        uint64_t number;
        __builtin_memcpy(&number, bytes, 8);
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        number = __builtin_bswap64(number);
    #endif
        return number;
    }
    """
    uint64_t big_endian(const uint8_t *data) noexcept nogil


cdef inline i32 check_plain(const u8 *order) noexcept nogil:
    """Only plain terms, and numbers that the ledger counts, come in frames."""
    cdef i64 terms = <i64>big_endian(order + 72)
    if big_endian(order + 64) or terms & ~TERMS or not is_known(terms):
        return UNSUPPORTED_TERMS
    return check_numbers(order)


cdef inline i32 check_numbers(const u8 *order) noexcept nogil:
    if <i64>(big_endian(order + 32) | big_endian(order + 40) | big_endian(order + 56)) < 0:
        return AMOUNT_OUT_OF_RANGE
    return 0


cdef inline i64 displayed_in(const u8 *order) noexcept nogil:
    """How many lots at a time an order with otherwise plain terms displays; 0 for others, and for very many."""
    cdef u64 terms = big_endian(order + 72)
    cdef i64 plain = <i64>(terms & 0xFFFF)
    return 0 if big_endian(order + 64) or not is_known(plain) or not rests(plain) else <i64>(terms >> 16)


cdef inline void write_command(const u8 *order, u8 *command) noexcept nogil:
    """A packed order as the core reads it (packing.py), but for its account, and what does not stand in it."""
    cdef i64 *words = <i64 *>command
    cdef u64 several = big_endian(order + 24)  # the expiry in five bytes, the fee's cap in two, the side
    command[1] = <u8>several
    (<uint32_t *>command)[1] = <uint32_t>(big_endian(order + 16))
    words[1], words[2], words[3] = (
        <i64>big_endian(order + 32), <i64>big_endian(order + 40), <i64>big_endian(order + 48))
    words[4], words[5] = <i64>(several >> 24), <i64>big_endian(order + 56)
    (<i32 *>command)[12] = <i32>(several >> 8 & 0xFFFF)
    words[7] = <i64>big_endian(order + 72)


cdef inline bint write_single(const u8 *record, const i64 *layout, u8 *command) noexcept nogil:
    """A signed order by itself; whether it fits, as `packing.pack` does."""
    cdef const u8 *order = record + layout[0]
    if check_plain(order):
        return False
    memset(command, 0, COMMAND_SIZE)
    command[0], command[2] = PLACE, record[layout[2]]
    write_command(order, command)
    memcpy(command + ACCOUNT_AT, order, 20)
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

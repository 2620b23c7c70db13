# Looking ahead: while one command is at work, the records that the next ones will want are asked for, step by step, so
# that they have come when their turn does. Account and book stay what they are while commands run; whatever else this finds is
# a guess, which is checked.

cdef enum:
    COMMAND_AHEAD = 20
    PLACE_AHEAD = 15
    ACCOUNT_AHEAD = 13
    RECORDS_AHEAD = 11
    PLACES_AHEAD = 8
    ORDERS_AHEAD = 5
    NEIGHBOURS_AHEAD = 3
    AHEAD = 16          # guesses that are kept, by the lowest bits of the command's number


cdef inline void guess_command(const u8 *command) noexcept nogil:
    fetch_soon(command)
    fetch_soon(command + 64)
    fetch_soon(command + 128)
    fetch_soon(command + 192)


cdef inline void guess_place(Memory *m, Guess *guess, const u8 *command) noexcept nogil:
    guess.page = <i64>(address_hash(m, command + ACCOUNT_AT) & <u64>(m.by_address_room - 1))
    fetch_soon(&m.by_address[guess.page])


cdef inline void guess_account(Memory *m, Guess *guess) noexcept nogil:
    cdef i32 account = m.by_address[guess.page]
    fetch_soon(&m.accounts[account])
    fetch_soon(&m.accounts[account].young_count)


cdef inline void guess_records(Memory *m, Guess *guess, const u8 *command) noexcept nogil:
    guess_records_of(m, guess, command, account_from(m, command + ACCOUNT_AT, <u64>guess.page))


cdef inline void guess_records_of(Memory *m, Guess *guess, const u8 *command, i32 account) noexcept nogil:
    cdef u64 number = <u64>word(command, 3) >> 6
    guess.account = account
    guess.page = <i64>(page_hash(m, guess.account, number) & <u64>(m.pages_room - 1))
    fetch_soon(&m.pages[guess.page])
    if command[0] == PLACE:
        guess.book = find_book(m, (<const uint32_t *>command)[1])
        guess.hash_hash = hash_of_hash(command + ORDER_HASH)
        guess.key = tick_key(&m.books[guess.book], command[1] & 1, word(command, 1))
        guess.span = find_span(m, 2 * guess.book + (command[1] & 1), guess.key >> 6)
        fetch_soon(&m.spans[guess.span].levels[guess.key & 63])
        fetch_soon(&m.columns[guess.account * m.columns_width])


cdef inline void guess_now(Memory *m, Guess *guess, const u8 *command) noexcept nogil:
    """What must be known of a command whose turn has come already."""
    memset(guess, 0, sizeof(Guess))
    guess_place(m, guess, command)
    guess_records(m, guess, command)


cdef inline void guess_places(Memory *m, Guess *guess, const u8 *command) noexcept nogil:
    cdef u64 nonce = <u64>word(command, 3)
    cdef Account *account = &m.accounts[guess.account]
    cdef Known *known
    cdef i32 *columns = &m.columns[guess.account * m.columns_width]
    cdef Page *page = page_from(m, guess.account, nonce >> 6, <u64>guess.page)
    cdef i32 block = block_of(page, nonce)
    guess.page = page - m.pages
    fetch_soon(&m.blocks[block])
    guess.block = block
    if command[0] == CANCEL:
        guess.level = 0
        return
    guess.level = level_at(m, guess.span, guess.key)
    fetch_soon(&m.levels[guess.level])
    fetch_soon(&m.balances[columns[m.books[guess.book].base]])
    fetch_soon(&m.balances[columns[m.books[guess.book].quote]])
    if account.young_room:
        fetch_soon(filter_word(account.young, account.young_room, guess.hash_hash))
        known = &knowns(account.young, account.young_room)[account.young_count]
        fetch_soon(known)
        fetch_soon(&known.order_id)  # half of them stand in two lines


cdef inline i32 follower(Memory *m, i32 number) noexcept nogil:
    """The order that is met after one that rests, 0 after the last."""
    cdef Order *o = &m.orders[number]
    return o.next or m.levels[worse_level(m, o.level)].head


cdef inline void fetch_maker(Memory *m, i32 number) noexcept nogil:
    """Ask for what a trade with an order changes beside it."""
    cdef Order *o = &m.orders[number]
    fetch_soon(&m.blocks[o.slot >> 3])
    fetch_soon(&m.balances[o.pays])
    fetch_soon(&m.balances[o.gets])
    fetch_soon(&m.accounts[o.account])


cdef inline bint will_meet(Half *half, const u8 *command) noexcept nogil:
    """Whether an order would meet one on this side, as it is now."""
    return half.best >= half.sign * word(command, 1)


cdef inline Half *other_half(Memory *m, Guess *guess, const u8 *command) noexcept nogil:
    return &m.books[guess.book].halves[1 - (command[1] & 1)]


cdef inline void guess_orders(Memory *m, Guess *guess, const u8 *command) noexcept nogil:
    """Which open order it cancels or meets first, 0 for none: without a branch, because kinds are hard to guess."""
    cdef Half *half = other_half(m, guess, command)
    cdef i32 cancelled = m.blocks[guess.block].slots[word(command, 3) & 7], met = m.levels[half.top].head
    met &= -<i32>will_meet(half, command)
    guess.order = <i32>chosen(command[0] == CANCEL, cancelled, met)
    fetch_soon(&m.orders[guess.order])
    fetch_soon(&m.orders[m.levels[guess.level].tail])


cdef inline void guess_neighbours(Memory *m, Guess *guess, const u8 *command) noexcept nogil:
    cdef Order *o = &m.orders[guess.order]
    fetch_soon(&m.orders[o.prev])
    fetch_soon(&m.orders[o.next])
    fetch_soon(&m.levels[o.level])
    fetch_maker(m, guess.order)
    if command[0] == PLACE and will_meet(other_half(m, guess, command), command):
        fetch_soon(&m.orders[follower(m, guess.order)])


cdef inline void look_ahead(Memory *m, Guess *guesses, const u8 *commands, i64 i, i64 count) noexcept nogil:
    """Look at commands behind the one numbered `i` (below zero before the first of all), each a step further."""
    if likely(i >= 0 and i + COMMAND_AHEAD < count):
        look_at_all(m, guesses, commands + i * COMMAND_SIZE, <u64>i)
    else:
        look_at_some(m, guesses, commands, i, count)


cdef inline void look_at_all(Memory *m, Guess *guesses, const u8 *now, u64 i) noexcept nogil:
    """The same where there is one at every step; `now` is the command that these are behind."""
    guess_command(now + COMMAND_AHEAD * COMMAND_SIZE)
    guess_place(m, &guesses[(i + PLACE_AHEAD) % AHEAD], now + PLACE_AHEAD * COMMAND_SIZE)
    guess_account(m, &guesses[(i + ACCOUNT_AHEAD) % AHEAD])
    guess_records(m, &guesses[(i + RECORDS_AHEAD) % AHEAD], now + RECORDS_AHEAD * COMMAND_SIZE)
    guess_places(m, &guesses[(i + PLACES_AHEAD) % AHEAD], now + PLACES_AHEAD * COMMAND_SIZE)
    guess_orders(m, &guesses[(i + ORDERS_AHEAD) % AHEAD], now + ORDERS_AHEAD * COMMAND_SIZE)
    guess_neighbours(m, &guesses[(i + NEIGHBOURS_AHEAD) % AHEAD], now + NEIGHBOURS_AHEAD * COMMAND_SIZE)


cdef void look_at_some(Memory *m, Guess *guesses, const u8 *commands, i64 i, i64 count) noexcept nogil:
    """The same at the beginning and at the end of a run."""
    if <u64>(i + COMMAND_AHEAD) < <u64>count:
        guess_command(commands + (i + COMMAND_AHEAD) * COMMAND_SIZE)
    if <u64>(i + PLACE_AHEAD) < <u64>count:
        guess_place(m, &guesses[<u64>(i + PLACE_AHEAD) % AHEAD], commands + (i + PLACE_AHEAD) * COMMAND_SIZE)
    if <u64>(i + ACCOUNT_AHEAD) < <u64>count:
        guess_account(m, &guesses[<u64>(i + ACCOUNT_AHEAD) % AHEAD])
    if <u64>(i + RECORDS_AHEAD) < <u64>count:
        guess_records(m, &guesses[<u64>(i + RECORDS_AHEAD) % AHEAD], commands + (i + RECORDS_AHEAD) * COMMAND_SIZE)
    if <u64>(i + PLACES_AHEAD) < <u64>count:
        guess_places(m, &guesses[<u64>(i + PLACES_AHEAD) % AHEAD], commands + (i + PLACES_AHEAD) * COMMAND_SIZE)
    if <u64>(i + ORDERS_AHEAD) < <u64>count:
        guess_orders(m, &guesses[<u64>(i + ORDERS_AHEAD) % AHEAD], commands + (i + ORDERS_AHEAD) * COMMAND_SIZE)
    if <u64>(i + NEIGHBOURS_AHEAD) < <u64>count:
        guess_neighbours(m, &guesses[<u64>(i + NEIGHBOURS_AHEAD) % AHEAD], commands + (i + NEIGHBOURS_AHEAD) * COMMAND_SIZE)

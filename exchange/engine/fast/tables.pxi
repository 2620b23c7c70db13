# Finding things: accounts by address, nonces and the open orders on them, order hashes. Open addressing with linear
# probes; no table is ever more than half full. Their order shows nowhere, so the hash may differ from run to run.

# accounts


cdef inline u64 address_hash(Memory *m, const u8 *address) noexcept nogil:
    return mixed(word_at(address) ^ m.seed, word_at(address + 8) ^ (<u64>address[16] << 24 | <u64>address[17] << 16
                                                                    | <u64>address[18] << 8 | address[19]))


cdef inline i32 find_account(Memory *m, const u8 *address) noexcept nogil:
    """The account's id, 0 for an address that has none."""
    cdef u64 mask = <u64>m.by_address_room - 1, at = address_hash(m, address) & mask
    while m.by_address[at]:
        if memcmp(m.accounts[m.by_address[at]].address, address, 20) == 0:
            return m.by_address[at]
        at = (at + 1) & mask
    return 0


cdef void enter_account(Memory *m, i32 account) noexcept nogil:
    cdef u64 mask = <u64>m.by_address_room - 1, at = address_hash(m, m.accounts[account].address) & mask
    while m.by_address[at]:
        at = (at + 1) & mask
    m.by_address[at] = account


cdef i32 new_account(Memory *m, const u8 *address) noexcept nogil:
    """A new account's id."""
    cdef i64 account = m.accounts_used, columns_room = m.columns_width * m.accounts_room, room = 0, i
    m.accounts = <Account *>grown(m.accounts, &m.accounts_room, account + 1, sizeof(Account))
    m.columns = <i32 *>grown(m.columns, &columns_room, m.columns_width * m.accounts_room, sizeof(i32))
    m.accounts_used += 1
    memcpy(m.accounts[account].address, address, 20)
    if m.by_address_room >= 2 * m.accounts_used:
        enter_account(m, <i32>account)
        return <i32>account
    release(m.by_address)
    m.by_address = <i32 *>grown(NULL, &room, 4 * m.accounts_used, sizeof(i32))
    m.by_address_room = room
    for i in range(1, m.accounts_used):
        enter_account(m, <i32>i)
    return <i32>account


# balances


cdef i32 find_balance(Memory *m, i32 account, uint32_t asset) noexcept nogil:
    """The account's balance in an asset, 0 when it has none yet."""
    cdef i32 balance = m.accounts[account].first_balance
    while balance and m.balances[balance].asset != asset:
        balance = m.next_balance[balance]
    return balance


cdef i32 column_of(Memory *m, uint32_t asset) noexcept nogil:
    """The column of an asset, -1 when no market uses it."""
    cdef i32 column
    for column in range(<i32>m.columns_used):
        if m.column_assets[column] == asset:
            return column
    return -1


cdef i32 open_balance(Memory *m, i32 account, uint32_t asset) noexcept nogil:
    """The account's balance in an asset, made now if it is new."""
    cdef i32 balance = find_balance(m, account, asset), column
    cdef i64 room = m.balances_room
    if balance:
        return balance
    balance = <i32>m.balances_used
    m.balances = <Balance *>grown(m.balances, &m.balances_room, balance + 1, sizeof(Balance))
    m.next_balance = <i32 *>grown(m.next_balance, &room, m.balances_room, sizeof(i32))
    m.balances_used += 1
    m.balances[balance].account = account
    m.balances[balance].asset = asset
    m.next_balance[balance] = m.accounts[account].first_balance
    m.accounts[account].first_balance = balance
    column = column_of(m, asset)
    if column >= 0:
        m.columns[account * m.columns_width + column] = balance
    return balance


cdef i32 add_column(Memory *m, uint32_t asset) noexcept nogil:
    """The column of an asset that a market uses; -1 when there are too many."""
    cdef i32 column = column_of(m, asset), account
    if column >= 0:
        return column
    if m.columns_used == m.columns_width:
        return -1
    column = <i32>m.columns_used
    m.columns_used += 1
    m.column_assets[column] = asset
    for account in range(1, <i32>m.accounts_used):
        m.columns[account * m.columns_width + column] = find_balance(m, account, asset)
    return column


cdef inline i32 balance_in(Memory *m, i32 account, i32 column) noexcept nogil:
    return m.columns[account * m.columns_width + column]


# nonces


cdef inline u64 page_hash(Memory *m, i64 account, u64 number) noexcept nogil:
    return mixed(number ^ m.seed, <u64>account)


cdef inline Page *find_page(Memory *m, i32 account, u64 number) noexcept nogil:
    """The page, or the free entry where it would stand."""
    cdef u64 mask = <u64>m.pages_room - 1, at = page_hash(m, account, number) & mask
    while m.pages[at].account and (m.pages[at].number != number or m.pages[at].account != account):
        at = (at + 1) & mask
    return &m.pages[at]


cdef void spread_pages(Memory *m, i64 least) noexcept nogil:
    """Move the pages to a table with room for `least` entries."""
    cdef Page *before = m.pages
    cdef Page *page
    cdef i64 room = 0, i, count = m.pages_room
    m.pages = <Page *>grown(NULL, &room, least, sizeof(Page))
    m.pages_room = room
    for i in range(count):
        if before[i].account:
            page = find_page(m, <i32>before[i].account, before[i].number)
            page[0] = before[i]
    release(before)


cdef inline Page *open_page(Memory *m, i32 account, u64 number) noexcept nogil:
    """The page, made now if it is new."""
    cdef Page *page = find_page(m, account, number)
    if page.account:
        return page
    if 2 * (m.pages_used + 1) > m.pages_room:
        spread_pages(m, 2 * m.pages_room)
        page = find_page(m, account, number)
    m.pages_used += 1
    page.account = account
    page.number = number
    return page


cdef inline bint nonce_used(Memory *m, i32 account, u64 nonce) noexcept nogil:
    return find_page(m, account, nonce >> 6).used >> (nonce & 63) & 1


cdef inline void use_nonce(Memory *m, i32 account, u64 nonce) noexcept nogil:
    open_page(m, account, nonce >> 6).used |= <u64>1 << (nonce & 63)


# the open orders on nonces: blocks of 64 places, which exist while one is taken


cdef inline i32 order_on(Memory *m, i32 account, u64 nonce) noexcept nogil:
    """The open order on a nonce, 0 for none."""
    cdef i64 block = find_page(m, account, nonce >> 6).block
    return m.slots[block * 64 + <i64>(nonce & 63)]  # block 0 stays empty


cdef i32 new_block(Memory *m, i32 account, u64 number) noexcept nogil:
    cdef i32 block = m.free_block, first = m.accounts[account].first_block
    cdef i64 room = 64 * m.blocks_room
    if block:
        m.free_block = m.blocks[block].next
    else:
        block = <i32>m.blocks_used
        m.blocks = <Block *>grown(m.blocks, &m.blocks_room, block + 1, sizeof(Block))
        m.slots = <i32 *>grown(m.slots, &room, 64 * m.blocks_room, sizeof(i32))
        m.blocks_used += 1
    m.blocks[block].number = number
    m.blocks[block].account = account
    m.blocks[block].count = 0
    m.blocks[block].prev = 0
    m.blocks[block].next = first
    if first:
        m.blocks[first].prev = block
    m.accounts[account].first_block = block
    return block


cdef void free_block(Memory *m, i32 block) noexcept nogil:
    cdef Block *b = &m.blocks[block]
    find_page(m, b.account, b.number).block = 0
    if b.prev:
        m.blocks[b.prev].next = b.next
    else:
        m.accounts[b.account].first_block = b.next
    if b.next:
        m.blocks[b.next].prev = b.prev
    b.account = 0
    b.next = m.free_block
    m.free_block = block


cdef inline i32 put_on_nonce(Memory *m, i32 account, u64 nonce, i32 order) noexcept nogil:
    """Note the open order on its nonce; returns the block it is in."""
    cdef Page *page = open_page(m, account, nonce >> 6)
    if page.block == 0:
        page.block = new_block(m, account, nonce >> 6)
    m.slots[page.block * 64 + <i64>(nonce & 63)] = order
    m.blocks[page.block].count += 1
    return <i32>page.block


cdef inline void take_off_nonce(Memory *m, i32 block, u64 nonce) noexcept nogil:
    m.slots[<i64>block * 64 + <i64>(nonce & 63)] = 0
    m.blocks[block].count -= 1
    if m.blocks[block].count == 0:
        free_block(m, block)


# order hashes


cdef inline i32 place_of(Generation *g, const u8 *order_hash) noexcept nogil:
    """Where in the index the hash stands, or would stand."""
    cdef i32 mask = 2 * g.room - 1, at = <i32>(mixed(word_at(order_hash), word_at(order_hash + 24)) & <u64>mask)
    while g.index[at] and memcmp(g.hashes + 32 * (g.index[at] - 1), order_hash, 32) != 0:
        at = (at + 1) & mask
    return at


cdef i64 id_of_hash(Generation *g, const u8 *order_hash) noexcept nogil:
    """The order's id, 0 for a hash that is not known."""
    if g.count == 0:
        return 0
    cdef i32 place = g.index[place_of(g, order_hash)]
    return g.ids[place - 1] if place else 0


cdef void widen_generation(Generation *g) noexcept nogil:
    cdef i64 room = g.room, bytes_room = 32 * g.room, index_room = 0
    cdef i32 i
    g.ids = <i64 *>grown(g.ids, &room, g.count + 1, sizeof(i64))
    g.hashes = <u8 *>grown(g.hashes, &bytes_room, 32 * room, 1)
    release(g.index)
    g.index = <int16_t *>grown(NULL, &index_room, 2 * room, sizeof(int16_t))
    g.room = <i32>room
    for i in range(g.count):
        g.index[place_of(g, g.hashes + 32 * i)] = <int16_t>(i + 1)


cdef void remember(Account *account, const u8 *order_hash, i64 order_id) noexcept nogil:
    """Put the hash into the young generation; a full one becomes the old one."""
    cdef Generation *g = &account.young
    cdef Generation full
    if g.count == g.room:
        widen_generation(g)
    cdef i32 at = place_of(g, order_hash)
    if g.index[at]:
        g.ids[g.index[at] - 1] = order_id
        return
    memcpy(g.hashes + 32 * g.count, order_hash, 32)
    g.ids[g.count] = order_id
    g.count += 1
    g.index[at] = <int16_t>g.count
    if g.count == REMEMBERED:
        full = account.young
        account.young = account.old
        account.old = full
        g.count = 0
        if g.room:
            memset(g.index, 0, 2 * g.room * sizeof(int16_t))

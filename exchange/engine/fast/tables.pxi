# Finding things: accounts by address, nonces and the open orders on them, order hashes. Open addressing with linear
# probes; no table is ever more than half full. Their order shows nowhere, so the hash may differ from run to run.

# accounts


cdef inline u64 address_hash(Memory *m, const u8 *address) noexcept nogil:
    return mixed(word_at(address) ^ m.seed, word_at(address + 8) ^ (<u64>address[16] << 24 | <u64>address[17] << 16
                                                                    | <u64>address[18] << 8 | address[19]))


cdef inline i32 account_from(Memory *m, const u8 *address, u64 at) noexcept nogil:
    """The account's id, 0 for an address that has none, sought from an entry on."""
    cdef u64 mask = <u64>m.by_address_room - 1
    while m.by_address[at]:
        if same_address(m.accounts[m.by_address[at]].address, address):
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
    if m.by_address_room >= 16 * m.accounts_used:
        enter_account(m, <i32>account)
        return <i32>account
    release(m.by_address)
    m.by_address = <i32 *>grown(NULL, &room, 32 * m.accounts_used, sizeof(i32))
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


cdef inline bint is_others(Page *page, i32 account, u64 number) noexcept nogil:
    return (page.account != 0) & ((page.number != number) | (page.account != account))


cdef inline Page *page_from(Memory *m, i32 account, u64 number, u64 at) noexcept nogil:
    """The page, or the free entry where it would stand, sought from an entry on."""
    cdef u64 mask = <u64>m.pages_room - 1
    at = (at + is_others(&m.pages[at], account, number)) & mask  # the first step without a branch, which is hard to guess
    while is_others(&m.pages[at], account, number):
        at = (at + 1) & mask
    return &m.pages[at]


cdef inline Page *find_page(Memory *m, i32 account, u64 number) noexcept nogil:
    """The page, or the free entry where it would stand."""
    return page_from(m, account, number, page_hash(m, account, number) & <u64>(m.pages_room - 1))


cdef inline Page *guessed_page(Memory *m, Guess *guess, u64 number) noexcept nogil:
    """The same, found quickly where the guess is right."""
    cdef Page *page = &m.pages[guess.page]
    if likely(page.number == number and page.account == guess.account):
        return page
    return find_page(m, guess.account, number)


cdef inline void note_page(Memory *m, Page *page) noexcept nogil:
    """Tell its blocks where the page stands."""
    cdef i32 i
    for i in range(8):
        m.blocks[page.blocks[i]].page = page - m.pages  # block 0 is nobody's


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
            note_page(m, page)
    release(before)


cdef inline Page *opened(Memory *m, Page *page, i32 account, u64 number) noexcept nogil:
    """The page, made now if what was found is a free entry."""
    if likely(page.account):
        return page
    if 2 * (m.pages_used + 1) > m.pages_room:
        spread_pages(m, 2 * m.pages_room)
        page = find_page(m, account, number)
    m.pages_used += 1
    page.account = account
    page.number = number
    return page


cdef inline Page *open_page(Memory *m, i32 account, u64 number) noexcept nogil:
    """The page, made now if it is new."""
    return opened(m, find_page(m, account, number), account, number)


cdef inline bint nonce_used(Memory *m, i32 account, u64 nonce) noexcept nogil:
    return find_page(m, account, nonce >> 6).used >> (nonce & 63) & 1


cdef inline void use_nonce(Memory *m, i32 account, u64 nonce) noexcept nogil:
    open_page(m, account, nonce >> 6).used |= <u64>1 << (nonce & 63)


# the open orders on nonces: blocks of 8 places, which exist while one is taken


cdef inline i32 block_of(Page *page, u64 nonce) noexcept nogil:
    return page.blocks[nonce >> 3 & 7]


cdef inline i32 order_in(Memory *m, Page *page, u64 nonce) noexcept nogil:
    """The open order on a nonce of the page, 0 for none."""
    return m.blocks[block_of(page, nonce)].slots[nonce & 7]  # block 0 stays empty


cdef inline i32 order_on(Memory *m, i32 account, u64 nonce) noexcept nogil:
    """The open order on a nonce, 0 for none."""
    return order_in(m, find_page(m, account, nonce >> 6), nonce)


cdef i32 new_block(Memory *m, Page *page, u64 number) noexcept nogil:
    cdef i32 account = <i32>page.account, block = m.free_block, first = m.accounts[account].first_block
    if block:
        m.free_block = m.blocks[block].next
        fetch_soon(&m.blocks[m.free_block])
    else:
        block = <i32>m.blocks_used
        if block == MOST_BLOCKS:
            fatal(b"the matching engine has no places left for open orders")
        m.blocks = <Block *>grown(m.blocks, &m.blocks_room, block + 1, sizeof(Block))
        m.blocks_used += 1
    m.blocks[block].number = number
    m.blocks[block].account = account
    m.blocks[block].count = 0
    m.blocks[block].page = page - m.pages
    m.blocks[block].prev = 0
    m.blocks[block].next = first
    if first:
        m.blocks[first].prev = block
    m.accounts[account].first_block = block
    return block


cdef void free_block(Memory *m, i32 block) noexcept nogil:
    cdef Block *b = &m.blocks[block]
    m.pages[b.page].blocks[b.number & 7] = 0
    if b.prev:
        m.blocks[b.prev].next = b.next
    else:
        m.accounts[b.account].first_block = b.next
    if b.next:
        m.blocks[b.next].prev = b.prev
    b.account = 0
    b.next = m.free_block
    m.free_block = block


cdef inline i32 put_on_nonce(Memory *m, Page *page, u64 nonce, i32 order) noexcept nogil:
    """Note the open order on its nonce; returns its slot."""
    cdef i32 block = block_of(page, nonce)
    if block == 0:
        block = page.blocks[nonce >> 3 & 7] = new_block(m, page, nonce >> 3)
    m.blocks[block].slots[nonce & 7] = order
    m.blocks[block].count += 1
    return block << 3 | <i32>(nonce & 7)


cdef inline void take_off_nonce(Memory *m, i32 slot) noexcept nogil:
    cdef Block *block = &m.blocks[slot >> 3]
    block.slots[slot & 7] = 0
    block.count -= 1
    if block.count == 0:
        free_block(m, slot >> 3)


# order hashes: per generation all there are in order of arrival, and before them a filter, a word for 2 hashes, that
# lets nearly all that are new pass without a search


cdef inline u64 hash_of_hash(const u8 *order_hash) noexcept nogil:
    return mixed(word_at(order_hash), word_at(order_hash + 24))


cdef inline u64 *filter_word(u64 *generation, i32 room, u64 hash) noexcept nogil:
    return generation + (hash >> 54 & <u64>((room >> 1) - 1))


cdef inline Known *knowns(u64 *generation, i32 room) noexcept nogil:
    return <Known *>(generation + (room >> 1))


cdef Known *find_known(u64 *generation, i32 room, i32 count, const u8 *order_hash) noexcept nogil:
    """The order hash with its order, NULL when it is not in the generation."""
    cdef i32 i
    cdef Known *known = knowns(generation, room)
    cdef u64 first = word_at(order_hash)
    for i in range(count):
        if word_at(known[i].order_hash) == first and memcmp(known[i].order_hash, order_hash, 32) == 0:
            return &known[i]
    return NULL


cdef inline i32 size_for(i32 room) noexcept nogil:
    """The size of a piece that holds a generation of so many: 32 or more, doubled."""
    return 58 - leading_zeros(<u64>room)


cdef void widen_young(Memory *m, Account *account) noexcept nogil:
    cdef u64 *before = account.young
    cdef i32 room = account.young_room, i
    account.young_room = 2 * room if room else 32
    account.young = <u64 *>new_piece(&m.pieces, size_for(account.young_room))
    memset(account.young, 0, 4 * account.young_room)
    for i in range(account.young_count):
        learn(account, i, knowns(before, room)[i].order_hash, knowns(before, room)[i].order_id,
              hash_of_hash(knowns(before, room)[i].order_hash))
    if room:
        free_piece(&m.pieces, size_for(room), before)


cdef inline bint learn(Account *account, i32 place, const u8 *order_hash, i64 order_id, u64 hash) noexcept nogil:
    """Note the hash at a place behind the others; whether it may have been there before."""
    cdef Known *known = &knowns(account.young, account.young_room)[place]
    memcpy(known.order_hash, order_hash, 32)
    known.order_id = order_id
    return filtered(filter_word(account.young, account.young_room, hash), hash)


cdef inline void remember(Memory *m, Account *account, const u8 *order_hash, i64 order_id, u64 hash) noexcept nogil:
    """Put the hash into the young generation; a full one becomes the old one."""
    cdef Known *known
    if unlikely(account.young_count == account.young_room):
        widen_young(m, account)
    if unlikely(learn(account, account.young_count, order_hash, order_id, hash)):
        known = find_known(account.young, account.young_room, account.young_count, order_hash)
        if known != NULL:
            known.order_id = order_id
            return
    account.young_count += 1
    if unlikely(account.young_count == REMEMBERED):
        turn_generations(account)


cdef void turn_generations(Account *account) noexcept nogil:
    cdef u64 *full = account.young
    cdef i32 room = account.young_room
    account.young, account.young_room, account.young_count = account.old, account.old_room, 0
    account.old, account.old_room = full, room
    if account.young != NULL:
        memset(account.young, 0, 4 * account.young_room)


cdef i32 old_count(Account *account) noexcept nogil:
    return 0 if account.old == NULL else REMEMBERED


cdef i64 order_of_hash(Account *account, const u8 *order_hash) noexcept nogil:
    """The order's id, 0 for a hash that is not known."""
    cdef Known *known = find_known(account.young, account.young_room, account.young_count, order_hash)
    if known == NULL:
        known = find_known(account.old, account.old_room, old_count(account), order_hash)
    return 0 if known == NULL else known.order_id

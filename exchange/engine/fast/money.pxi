# Money and what is told of it. Whoever keeps the sum of an asset's positive parts below MAX_AMOUNT (see room.py) has
# no overflow to fear here: nothing in this file raises that sum.

cdef enum:
    REFUSED = 0
    ACCEPTED = 1
    MATCHED = 2
    CLOSED = 3
    LEVEL = 4
    BALANCE = 5
    ACCOUNT = 6
    REDUCED = 7
    TOLD = 8            # an event that Python made, by its place in the owner's list


cdef void widen_events(Memory *m) noexcept nogil:
    cdef i64 used = m.event - m.events
    m.events = <i64 *>grown(m.events, &m.events_room, used + EVENT_WORDS, sizeof(i64))
    m.event = m.events + used
    m.events_end = m.events + m.events_room - EVENT_WORDS + 1


cdef inline i64 *emit(Memory *m, i64 kind) noexcept nogil:
    """The words of a new event, all to be written but the first."""
    cdef i64 *event
    if unlikely(m.event >= m.events_end):
        widen_events(m)
    event = m.event
    m.event = event + EVENT_WORDS
    event[0] = kind | m.message << 8
    return event


cdef inline bint is_told_of(Memory *m, i32 account) noexcept nogil:
    """Whether somebody is told what is this account's alone."""
    return not m.silent and (not m.selective or m.accounts[account].followed)


cdef inline void touch_balance(Memory *m, i32 balance) noexcept nogil:
    if m.silent or m.balances[balance].stamp == m.stamp:
        return
    m.balances[balance].stamp = m.stamp
    if m.selective and not m.accounts[m.balances[balance].account].followed:
        return
    if unlikely(m.touched_balances_used == m.touched_balances_room):
        m.touched_balances = <i32 *>grown(
            m.touched_balances, &m.touched_balances_room, m.touched_balances_used + 1, sizeof(i32))
    m.touched_balances[m.touched_balances_used] = balance
    m.touched_balances_used += 1


cdef inline void touch_level(Memory *m, i32 level) noexcept nogil:
    if m.silent or m.levels[level].stamp == m.stamp:
        return
    m.levels[level].stamp = m.stamp
    if unlikely(m.touched_levels_used == m.touched_levels_room):
        m.touched_levels = <i32 *>grown(
            m.touched_levels, &m.touched_levels_room, m.touched_levels_used + 1, sizeof(i32))
    m.touched_levels[m.touched_levels_used] = level
    m.touched_levels_used += 1


cdef void touch_account(Memory *m, i32 account) noexcept nogil:
    if not is_told_of(m, account) or m.accounts[account].stamp == m.stamp:
        return
    m.accounts[account].stamp = m.stamp
    m.touched_accounts = <i32 *>grown(
        m.touched_accounts, &m.touched_accounts_room, m.touched_accounts_used + 1, sizeof(i32))
    m.touched_accounts[m.touched_accounts_used] = account
    m.touched_accounts_used += 1


cdef void give_to_debtor(Memory *m, i32 balance, i64 amount) noexcept nogil:
    """Repay a deficit first, then cover what forced withdrawals wait for."""
    cdef Balance *b = &m.balances[balance]
    cdef i64 repaid = b.deficit if b.deficit < amount else amount
    if b.deficit:
        b.deficit -= repaid
        amount -= repaid
        if b.deficit == 0:
            m.accounts[b.account].deficits -= 1
            touch_account(m, b.account)
    b.available += amount
    if b.owed and amount:
        with gil:
            reserve_owed(m, balance)


cdef inline void give(Memory *m, i32 balance, i64 amount) noexcept nogil:
    """`amount` becomes available, after what is owed."""
    cdef Balance *b = &m.balances[balance]
    touch_balance(m, balance)
    if unlikely(b.deficit | b.owed):
        give_to_debtor(m, balance, amount)
    else:
        b.available += amount


cdef void reserve_owed(Memory *m, i32 balance) noexcept:
    """Let Python set money aside for forced withdrawals."""
    try:
        (<object>m.owner).cover_forced(balance)
    except BaseException as error:
        fail(m, error)


cdef void end_countdown(Memory *m, i64 account) noexcept:
    """Let Python end the orders of an account that was silent for too long."""
    try:
        (<object>m.owner).end_countdown(account)
    except BaseException as error:
        fail(m, error)


cdef inline void add_to_sum(Sum *sum, u64 part) noexcept nogil:
    sum.low += part
    sum.high += sum.low < part


cdef void fail(Memory *m, object error) noexcept:
    """Keep an error that Python raised while the core was at work: the state is lost, and `run` raises it."""
    m.failed = 1
    (<object>m.owner).failure = error


cdef void tell_changes(Memory *m) noexcept nogil:
    """Close a command's events with what it changed."""
    cdef i64 *event
    cdef i64 i
    cdef Level *level
    cdef Balance *b
    for i in range(m.touched_levels_used):
        level = &m.levels[m.touched_levels[i]]
        event = emit(m, LEVEL)
        event[1] = m.books[level.book].market
        event[2] = level.side
        event[3] = level.price
        event[4] = level.quantity
    for i in range(m.touched_balances_used):
        b = &m.balances[m.touched_balances[i]]
        event = emit(m, BALANCE)
        event[1] = b.account
        event[2] = b.asset
        event[3] = b.available
        event[4] = b.held
        event[5] = b.reserved
        event[6] = b.unsettled
        event[7] = b.deficit
    if unlikely(m.touched_accounts_used):
        tell_accounts(m)
    m.touched_levels_used = 0
    m.touched_balances_used = 0


cdef i64 status_of(Account *account) noexcept nogil:
    """The place of its status in core.pyx."""
    if account.deficits:
        return 3
    return 1 if account.exiting else 2 * account.frozen


cdef void tell_accounts(Memory *m) noexcept nogil:
    cdef i64 *event
    cdef i64 i
    for i in range(m.touched_accounts_used):
        event = emit(m, ACCOUNT)
        event[1] = m.touched_accounts[i]
        event[2] = status_of(&m.accounts[m.touched_accounts[i]])
        event[3] = <i64>m.accounts[m.touched_accounts[i]].min_nonce
    m.touched_accounts_used = 0

# What an order must satisfy before it is accepted: the rules of exchange.engine.risk in the same order, each of which
# returns its refusal's number in refusals.py or 0. Nothing here changes anything.

cdef enum:
    UNKNOWN_MARKET = 1
    UNKNOWN_ACCOUNT = 2
    UNSUPPORTED_TERMS = 3
    MARKET_HALTED = 4
    UNKNOWN_SIDE = 5
    UNKNOWN_SCHEME = 6
    BAD_PATH = 7
    HAS_TRIGGER_PRICE = 8
    ACCOUNT_BLOCKED = 9
    ACCOUNT_EXITING = 10
    UNKNOWN_DELEGATE = 11
    TOO_MANY_OPEN_ORDERS = 12
    NONCE_OUT_OF_RANGE = 13
    NONCE_TOO_LOW = 14
    NONCE_USED = 15
    SINGLE_FILL_RESTS = 16
    DUPLICATE_CLIENT_ID = 17
    EXPIRED = 18
    EXPIRY_TOO_FAR = 19
    PRICE_OFF_TICK = 20
    QUANTITY_OFF_LOT = 21
    BELOW_MIN_NOTIONAL = 22
    AMOUNT_OUT_OF_RANGE = 23
    PRICE_OUT_OF_BAND = 24
    FEE_CAP_OUT_OF_RANGE = 25
    BELOW_FLOOR = 26
    FEE_CAP_TOO_LOW = 27
    SETTLEMENT_BACKLOG = 28
    INSUFFICIENT_BALANCE = 29
    ORDER_CLOSED = 30
    UNKNOWN_ORDER = 31
    NO_COMMAND = 32
    ACCOUNT_FROZEN = 33
    NEEDS_SINGLE_FILL = 34
    TRADING_STOPPED = 35
    ORDER_TOO_LARGE = 36
    TOO_MUCH_OPEN = 37
    UNAVAILABLE = 38
    AUCTION_CALL = 40
    WRONG_PART = 41
    PART_TOO_SMALL = 42

cdef enum:
    DELEGATE = 1
    BULK = 2
    TIME_IN_FORCE = 3
    IOC = 2
    FOK = 3
    POST_ONLY = 4
    CANCEL_TAKER = 0
    CANCEL_MAKER = 1
    DECREMENT = 3
    TERMS = 31          # the bits of plain terms; the displayed quantity begins at bit 16
    MAX_PARTS = 100     # of a displayed quantity in the whole
    LONGEST = 30 * 86_400 - 120
    LONGEST_DELEGATED = 86_400 - 120


cdef inline bint rests(i64 terms) noexcept nogil:
    return (terms & TIME_IN_FORCE) < IOC


cdef inline i64 self_trade(i64 terms) noexcept nogil:
    return terms >> 3 & 3


cdef inline bint is_known(i64 terms) noexcept nogil:
    """Whether the core matches such orders."""
    if terms & POST_ONLY and not rests(terms):
        return False
    return not terms & ~TERMS and not ((terms & TIME_IN_FORCE) == FOK and self_trade(terms) == DECREMENT)


cdef inline i32 find_book(Memory *m, i64 market) noexcept nogil:
    """The book's number, 0 for a market that there is not."""
    cdef i32 book = m.by_market[market & 255]
    if likely(m.books[book].market == market and book):
        return book
    for book in range(1, <i32>m.books_used):
        if m.books[book].market == market:
            m.by_market[market & 255] = book
            return book
    return 0


cdef inline i32 look_up(Memory *m, Incoming *it, i64 displayed) noexcept nogil:
    """The order's book, account and rates; its terms are plain, or ask for that many lots to be displayed."""
    cdef i64 terms = word(it.command, 7)
    it.book_number = it.guess.book
    if it.book_number == 0:
        return UNKNOWN_MARKET
    it.account = it.guess.account
    if it.account == 0:
        return UNKNOWN_ACCOUNT
    if not is_known(terms ^ displayed << 16):
        return UNSUPPORTED_TERMS
    read_order(m, it, terms)
    return 0


cdef inline void read_order(Memory *m, Incoming *it, i64 terms) noexcept nogil:
    """What its command says, where book and account are known."""
    it.book = &m.books[it.book_number]
    it.terms = terms
    it.side = SELL if it.command[1] == SELL else BUY
    it.by_quote = it.command[1] == BUY_QUOTE
    it.scheme = it.command[2]
    it.price, it.quantity, it.nonce, it.expiry = (
        word(it.command, 1), word(it.command, 2), <u64>word(it.command, 3), word(it.command, 4))
    it.max_fee_bps = (<const i32 *>it.command)[12]
    it.rates = it.book.rates[m.accounts[it.account].tier][terms & KIND_BITS]


cdef i32 check_call(Memory *m, i64 at_ms, Incoming *it) noexcept nogil:
    """In the call of an auction orders gather: those that rest and may take."""
    if not it.book.in_call:
        return MARKET_HALTED
    if 0 < it.book.call_ends * 1_000 <= at_ms and not is_behind(m, at_ms):
        return UNAVAILABLE
    return AUCTION_CALL if it.terms & POST_ONLY or not rests(it.terms) else 0


cdef inline i32 check_market(Memory *m, i64 at_ms, Incoming *it) noexcept nogil:
    cdef i32 refusal = 0
    if unlikely(not it.book.is_open):
        refusal = check_call(m, at_ms, it)
    if refusal:
        return refusal
    if it.command[1] > BUY_QUOTE:
        return UNKNOWN_SIDE
    if it.scheme > (DELEGATE | BULK):
        return UNKNOWN_SCHEME
    it.hashes = 0
    if unlikely(it.scheme & BULK) and not measure_path(it):
        return BAD_PATH
    return HAS_TRIGGER_PRICE if word(it.command, 5) else 0


cdef bint measure_path(Incoming *it) noexcept nogil:
    """Whether the signature has a path that the contract can follow; notes its length."""
    cdef i64 size = signature_size(it.command) - 67, height = size // 32
    cdef const u8 *place = signature_in(it.command, it.blob) + 65
    if size < 0 or size % 32 or not 1 <= height <= MAX_HEIGHT:
        return False
    it.hashes = <i32>height
    return (place[0] << 8 | place[1]) < 1 << height


cdef inline i32 check_account(Memory *m, Incoming *it, i64 others) noexcept nogil:
    """The account may trade, and `others` that it has open leave room for one more."""
    cdef Account *account = &m.accounts[it.account]
    if account.deficits:
        return ACCOUNT_BLOCKED
    if account.exiting:
        return ACCOUNT_EXITING
    if account.frozen:
        return ACCOUNT_FROZEN
    if account.stops:
        return TRADING_STOPPED
    if unlikely(account.special):
        return check_special(m, it, others)
    if rests(it.terms) & (others >= m.max_open_orders):
        return TOO_MANY_OPEN_ORDERS
    return 0


cdef i32 check_special(Memory *m, Incoming *it, i64 others) noexcept nogil:
    """The signer is no revoked delegate, and the account has fewer other open orders than it may."""
    cdef Account *account = &m.accounts[it.account]
    cdef i64 most = m.max_open_orders
    if account.special & REVOKES and is_revoked(m, it.account, it.command + SIGNER):
        return UNKNOWN_DELEGATE
    if account.special & LIMITED and account.own.max_open_orders:
        most = account.own.max_open_orders
    return TOO_MANY_OPEN_ORDERS if rests(it.terms) & (others >= most) else 0


cdef inline i32 check_nonce(Memory *m, Incoming *it) noexcept nogil:
    cdef u64 nonce = it.nonce, sequence = nonce & ~SINGLE_FILL
    if sequence >= NONCE_LIMIT:
        return NONCE_OUT_OF_RANGE
    if sequence < m.accounts[it.account].min_nonce:
        return NONCE_TOO_LOW
    it.page = guessed_page(m, it.guess, nonce >> 6)
    if it.page.used >> (nonce & 63) & 1:
        return NONCE_USED
    if nonce & SINGLE_FILL and rests(it.terms):
        return SINGLE_FILL_RESTS
    if it.by_quote and not nonce & SINGLE_FILL:
        return NEEDS_SINGLE_FILL
    if unlikely(client_id_size(it.command)) and knows_client_id(m, it):
        return DUPLICATE_CLIENT_ID
    return 0


cdef inline i32 check_expiry(i64 at_ms, Incoming *it) noexcept nogil:
    cdef i64 now = at_ms // 1_000, expiry = it.expiry
    if expiry <= now:
        return EXPIRED
    if expiry - now > (LONGEST_DELEGATED if it.scheme & DELEGATE else LONGEST):
        return EXPIRY_TOO_FAR
    return 0


cdef inline i64 with_fee(i64 notional, i64 rate) noexcept nogil:
    """What backs a purchase."""
    return notional + part_of(notional, rate, PPM)


cdef inline i32 check_displayed(Incoming *it, i64 displayed) noexcept nogil:
    """What it shows at a time is less than the whole, and large enough to be an order."""
    if displayed >= it.quantity or it.quantity > displayed * MAX_PARTS:
        return WRONG_PART
    return PART_TOO_SMALL if 0 <= product(displayed, it.price) < it.book.min_notional else 0


cdef inline i32 check_size(Incoming *it, i64 displayed) noexcept nogil:
    cdef i64 fee
    if it.price <= 0 or not is_guessed(it) and product(ticks_of(it.book, it.price), it.book.tick_size) != it.price:
        return PRICE_OFF_TICK
    if it.quantity < (it.price if it.by_quote else 1):
        return QUANTITY_OFF_LOT
    it.notional = it.quantity if it.by_quote else product(it.price, it.quantity)
    if 0 <= it.notional < it.book.min_notional:
        return BELOW_MIN_NOTIONAL
    if displayed and check_displayed(it, displayed):
        return check_displayed(it, displayed)
    if it.notional < 0:
        return AMOUNT_OUT_OF_RANGE
    fee = part_of(it.notional, it.rates[2], PPM)
    if exceeds(it.notional, fee) or exceeds(it.notional + fee, it.rates[3]):
        return AMOUNT_OUT_OF_RANGE
    return AMOUNT_OUT_OF_RANGE if not it.by_quote and product(it.quantity, it.book.lot_size) < 0 else 0


cdef inline i32 check_band(Incoming *it) noexcept nogil:
    cdef i64 band = it.book.band_bps, reference = it.book.last_price
    if band == 0 or reference == 0:
        return 0
    if it.side == BUY:
        return PRICE_OUT_OF_BAND if it.price > capped_part_of(reference, BPS + band, BPS) else 0
    if band >= BPS:
        return 0
    return PRICE_OUT_OF_BAND if it.price < capped_ceiling(reference, BPS - band, BPS) else 0


cdef inline i32 check_fee_cap(Memory *m, Incoming *it) noexcept nogil:
    cdef i64 cap = it.max_fee_bps, floor = it.rates[3]
    if cap > BPS:
        return FEE_CAP_OUT_OF_RANGE
    if floor:
        if part_of(it.notional, m.fee_cap_bps, BPS) < floor:
            return BELOW_FLOOR
        if capped_ceiling(floor, BPS, it.notional) > cap:
            return FEE_CAP_TOO_LOW
    return FEE_CAP_TOO_LOW if it.rates[2] > cap * (PPM // BPS) else 0


cdef inline bint is_behind(Memory *m, i64 at_ms) noexcept nogil:
    """Whether the oldest unsettled trade is older than it may be: then nobody trades."""
    return m.max_unsettled_ms and m.oldest >= 0 and at_ms - m.oldest > m.max_unsettled_ms


cdef inline i32 check_backlog(Memory *m, i64 at_ms, Incoming *it) noexcept nogil:
    return SETTLEMENT_BACKLOG if not it.terms & POST_ONLY and is_behind(m, at_ms) else 0


cdef inline i32 check_funds(Memory *m, Incoming *it) noexcept nogil:
    cdef bint buys = it.side == BUY
    cdef i32 *columns = &it.book.base
    it.pays = balance_in(m, it.account, columns[1 - it.side])
    it.gets = balance_in(m, it.account, columns[it.side])
    cdef i64 needed = chosen(buys, with_fee(it.notional, it.rates[2]) + it.rates[3], it.quantity * it.book.lot_size)
    return INSUFFICIENT_BALANCE if needed > m.balances[it.pays].available else 0


cdef inline i32 check(Memory *m, i64 at_ms, Incoming *it, i64 displayed) noexcept nogil:
    """The number of the first rule's refusal, 0 for an order that satisfies all; it displays that many lots, 0 for all."""
    cdef i32 refusal = look_up(m, it, displayed)
    refusal = refusal or check_market(m, at_ms, it)
    refusal = refusal or check_account(m, it, m.accounts[it.account].open_orders)
    refusal = refusal or check_nonce(m, it)
    refusal = refusal or check_expiry(at_ms, it)
    refusal = refusal or check_size(it, displayed)
    refusal = refusal or check_band(it)
    refusal = refusal or (check_bounds(m, it, 0, it.notional) if unlikely(it.book.is_bounded) else 0)
    refusal = refusal or check_fee_cap(m, it)
    refusal = refusal or check_backlog(m, at_ms, it)
    return refusal or check_funds(m, it)


# what only Python knows

cdef bint is_revoked(Memory *m, i32 account, const u8 *signer) noexcept with gil:
    try:
        return (<object>m.owner).is_revoked(account, signer[:20])
    except BaseException as error:
        fail(m, error)
        return True


cdef bint knows_client_id(Memory *m, Incoming *it) noexcept with gil:
    cdef const u8 *at = signature_in(it.command, it.blob) + signature_size(it.command)
    try:
        return (<object>m.owner).knows_client_id(it.account, at[:client_id_size(it.command)])
    except BaseException as error:
        fail(m, error)
        return True


cdef void note_client_id(Memory *m, Incoming *it) noexcept with gil:
    cdef const u8 *at = signature_in(it.command, it.blob) + signature_size(it.command)
    try:
        (<object>m.owner).note_client_id(
            it.account, at[:client_id_size(it.command)], it.command[ORDER_HASH:ORDER_HASH + 32])
    except BaseException as error:
        fail(m, error)

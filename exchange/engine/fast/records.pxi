# The records that the core keeps, one array of each, and what they need from C.
#
# An index into an array stands for a record; index 0 is nobody's. What one step reads of a record stands in one line of
# the cache, 64 bytes from a multiple of 64 on.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memmove, memset

cdef extern from *:
    """
    #include <stdint.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    #define MAX_AMOUNT INT64_MAX

    /* whether neither is negative and their product has at most 62 bits */
    static inline int is_short(int64_t value, int64_t rate) {
        return (uint64_t)value < (UINT64_C(1) << 40) && (uint64_t)rate < (UINT64_C(1) << 22);
    }

    /* value * rate / scale, rounded down; the product has 128 bits, the result is known to fit */
    static inline int64_t part_of(int64_t value, int64_t rate, int64_t scale) {
        if (is_short(value, rate)) return (int64_t)((uint64_t)value * (uint64_t)rate / (uint64_t)scale);
        return (int64_t)((__int128)value * rate / scale);
    }

    /* the same for what may not fit: MAX_AMOUNT stands for everything from there on */
    static inline int64_t capped_part_of(int64_t value, int64_t rate, int64_t scale) {
        if (is_short(value, rate)) return (int64_t)((uint64_t)value * (uint64_t)rate / (uint64_t)scale);
        __int128 part = (__int128)value * rate / scale;
        return part > MAX_AMOUNT ? MAX_AMOUNT : (int64_t)part;
    }

    /* value * rate / scale, rounded up, capped likewise */
    static inline int64_t capped_ceiling(int64_t value, int64_t rate, int64_t scale) {
        if (is_short(value, rate) && scale < (INT64_C(1) << 62))
            return (int64_t)(((uint64_t)value * (uint64_t)rate + (uint64_t)scale - 1) / (uint64_t)scale);
        __int128 part = ((__int128)value * rate + scale - 1) / scale;
        return part > MAX_AMOUNT ? MAX_AMOUNT : (int64_t)part;
    }

    /* a * b, or -1 when that is more than MAX_AMOUNT */
    static inline int64_t product(int64_t a, int64_t b) {
        int64_t result;
        return __builtin_mul_overflow(a, b, &result) ? -1 : result;
    }

    /* whether a + b is more than MAX_AMOUNT; neither is negative */
    static inline int exceeds(int64_t a, int64_t b) {
        return a > MAX_AMOUNT - b;
    }

    /* one of two numbers, without a branch where it is hard to guess which */
    static inline int64_t chosen(int first, int64_t one, int64_t other) {
        return other ^ ((one ^ other) & -(int64_t)(first != 0));
    }

    /* what times an odd number is 1, in 64 bits */
    static inline uint64_t inverse_of(uint64_t odd) {
        uint64_t inverse = odd;
        for (int i = 0; i < 5; i++) inverse *= 2 - odd * inverse;
        return inverse;
    }

    static inline uint64_t mixed(uint64_t a, uint64_t b) {
        __uint128_t wide = (__uint128_t)(a ^ UINT64_C(0x9E3779B97F4A7C15)) * (b ^ UINT64_C(0xD6E8FEB86659FD93));
        return (uint64_t)wide ^ (uint64_t)(wide >> 64);
    }

    /* whether two addresses are equal */
    static inline int same_address(const uint8_t *a, const uint8_t *b) {
        uint64_t a0, a1, b0, b1;
        uint32_t a2, b2;
        __builtin_memcpy(&a0, a, 8), __builtin_memcpy(&b0, b, 8);
        __builtin_memcpy(&a1, a + 8, 8), __builtin_memcpy(&b1, b + 8, 8);
        __builtin_memcpy(&a2, a + 16, 4), __builtin_memcpy(&b2, b + 16, 4);
        return !((a0 ^ b0) | (a1 ^ b1) | (a2 ^ b2));
    }

    /* whether a word of a filter had a hash already; from now on it has */
    static inline int filtered(uint64_t *word, uint64_t hash) {
        uint64_t bits = UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) | UINT64_C(1) << (hash >> 12 & 63);
        uint64_t before = *word;
        *word = before | bits;
        return (before & bits) == bits;
    }

    static inline uint64_t word_at(const uint8_t *bytes) {
        uint64_t word;
        __builtin_memcpy(&word, bytes, 8);
        return word;
    }

    /* write the 192 bytes of a `Paper` from a command to the start of a line that is not read again soon */
    static inline void put_paper(void *to, const uint8_t *command, int64_t floor, int64_t rates) {
    #ifdef __SSE2__
        __m128i *lines = (__m128i *)to;
        const __m128i *from = (const __m128i *)command, *behind = (const __m128i *)(command + 92);
        int64_t expiry, signer;
        __builtin_memcpy(&expiry, command + 32, 8), __builtin_memcpy(&signer, command + 84, 8);
        _mm_stream_si128(lines, _mm_loadu_si128(from));
        _mm_stream_si128(lines + 1, _mm_loadu_si128(from + 1));
        _mm_stream_si128(lines + 2, _mm_set_epi64x(floor, expiry));
        _mm_stream_si128(lines + 3, _mm_loadu_si128(from + 3));
        _mm_stream_si128(lines + 4, _mm_set_epi64x(signer, rates));
        for (int i = 0; i < 7; i++) _mm_stream_si128(lines + 5 + i, _mm_loadu_si128(behind + i));
    #else
        __builtin_memcpy(to, command, 64);
        __builtin_memcpy((char *)to + 40, &floor, 8);
        __builtin_memcpy((char *)to + 64, &rates, 8);
        __builtin_memcpy((char *)to + 72, command + 84, 120);
    #endif
    }

    #define leading_zeros(word) __builtin_clzll(word)
    #define trailing_zeros(word) __builtin_ctzll(word)
    #define fetch_soon(address) __builtin_prefetch(address)
    #define likely(condition) __builtin_expect(!!(condition), 1)
    #define unlikely(condition) __builtin_expect(!!(condition), 0)
    """
    const int64_t MAX_AMOUNT
    int64_t part_of(int64_t value, int64_t rate, int64_t scale) noexcept nogil
    int64_t capped_part_of(int64_t value, int64_t rate, int64_t scale) noexcept nogil
    int64_t capped_ceiling(int64_t value, int64_t rate, int64_t scale) noexcept nogil
    int64_t product(int64_t a, int64_t b) noexcept nogil
    bint exceeds(int64_t a, int64_t b) noexcept nogil
    int64_t chosen(bint first, int64_t one, int64_t other) noexcept nogil
    uint64_t inverse_of(uint64_t odd) noexcept nogil
    uint64_t mixed(uint64_t a, uint64_t b) noexcept nogil
    bint same_address(const uint8_t *a, const uint8_t *b) noexcept nogil
    bint filtered(uint64_t *word, uint64_t hash) noexcept nogil
    uint64_t word_at(const uint8_t *data) noexcept nogil
    void put_paper(void *to, const uint8_t *command, int64_t floor, int64_t rates) noexcept nogil
    int leading_zeros(uint64_t word) noexcept nogil
    int trailing_zeros(uint64_t word) noexcept nogil
    void fetch_soon(const void *address) noexcept nogil
    bint likely(bint condition) noexcept nogil
    bint unlikely(bint condition) noexcept nogil

ctypedef int32_t i32
ctypedef int64_t i64
ctypedef uint8_t u8
ctypedef uint64_t u64

cdef enum:
    BUY = 0
    SELL = 1
    BUY_QUOTE = 2
    PPM = 1_000_000
    BPS = 10_000
    TIERS = 16
    KINDS = 8           # an order's kind is the lowest three bits of its terms
    KIND_BITS = 7
    PARTS = 6           # of a balance
    COMMAND_SIZE = 256
    EVENT_WORDS = 11
    INLINE = 120        # bytes of signature and client's id that stand in a command itself
    KEPT = 68           # and in a paper
    REMEMBERED = 1_000
    MOST_BLOCKS = 1 << 28   # a slot's number has 31 bits
    MAX_PROOFS = 512
    MAX_HEIGHT = 10

cdef u64 SINGLE_FILL = <u64>1 << 63
cdef i64 NO_PRICE = -MAX_AMOUNT - 1     # worse than every price
cdef i64 NEVER = <i64>1 << 53     # a second after every time
cdef u64 NONCE_LIMIT = <u64>1 << 48

cdef struct Order:      # what a step of matching reads of an open order: one line
    i64 id              # 0: the record is free
    i64 remaining
    i32 account
    i32 next
    i32 prev
    i32 level
    i32 pays
    i32 gets
    i32 slot            # on its nonce
    i32 maker_ppm
    i32 hold_ppm
    u8 side
    u8 hashes
    u8 flags            # of longer.pxi
    u8 pad
    i64 hidden          # of what remains, not shown yet

cdef struct Paper:      # the command that placed it, with what acceptance added where the command needs its room no more
    u8 kind
    u8 side
    u8 scheme
    u8 zero
    uint32_t market
    i64 price
    i64 quantity
    u64 nonce
    i64 expiry
    i64 floor
    i32 max_fee_bps
    uint16_t signature_size
    uint16_t client_id_size
    i64 terms
    i32 taker_ppm
    i32 cap_bps
    u8 signer[20]
    u8 order_hash[32]
    u8 inside[68]

cdef struct Balance:
    i64 available
    i64 held
    i64 reserved
    i64 unsettled
    i64 deficit
    i64 owed
    i64 stamp           # the last command that touched it
    i32 account
    uint32_t asset

cdef struct Level:
    i64 price
    i64 quantity
    i64 stamp
    i32 head
    i32 tail
    i32 book
    i32 side
    i32 span
    i32 bit             # in it
    i64 pad[2]

cdef struct Span:       # the levels of 64 neighbouring ticks of a side, of which there is one
    u64 live            # a bit for each that is there, the best one's the highest
    i64 number          # the first tick's, a 64th of it
    i32 worse[9]        # the next spans: the next one, and with each floor about the fourth next of the floor below
    i32 half            # twice the book, and one more for the asks
    i32 pad[2]
    i32 levels[64]      # 0 for none

cdef struct SpanPlace:  # an entry of the table of spans
    i64 number
    i32 half            # twice the book, and one more for the asks
    i32 span            # 0: the entry is free

cdef struct Half:
    i64 best            # the best price, negated of the asks; NO_PRICE for none
    i32 top             # the best level
    i32 sign
    i32 spans[9]        # the first of each floor

cdef struct Book:
    i64 market
    i64 lot_size
    i64 tick_size
    u64 tick_inverse    # of its odd part
    i64 min_notional
    i64 band_bps
    i64 last_price
    i32 is_open
    i32 base
    i32 quote           # columns of the two assets, beside each other
    i32 fees            # the balance that collects
    i32 tick_zeros      # bits behind it
    Half halves[2]
    i64 collar_bps      # this and the next four: the market's bounds, 0 where there is none
    u64 max_quantity
    u64 max_notional
    u64 max_open_orders
    u64 max_open_notional
    i64 quiet_low       # last prices from here to `quiet_high` trigger nothing
    i64 quiet_high
    u8 is_bounded
    u8 is_watched       # somebody waits for a price
    u8 in_call          # orders gather, until `call_ends` (unix seconds, 0: until it opens)
    u8 pad[5]
    i64 call_ends
    i64 rates[16][8][4]

cdef struct Known:      # an order hash and its order
    u8 order_hash[32]
    i64 order_id

cdef enum:              # what is special about an account
    REVOKES = 1         # some delegate is revoked
    LIMITED = 2         # it has limits of its own

cdef struct Own:        # limits of one account, 0 where there is none
    i64 max_open_orders
    u64 max_open_notional[64]   # by the column of the quote

cdef struct Account:
    u8 address[20]
    i32 deficits
    i32 open_orders
    u8 tier
    u8 exiting
    u8 frozen
    u8 special          # REVOKES, LIMITED
    u8 stops
    u8 followed         # somebody wants to be told of it
    u8 pad[2]
    u64 min_nonce
    u64 top_nonce
    u64 *young          # the latest order hashes: a filter of them, behind it `Known`s in order of arrival
    # the second line
    i32 young_count
    i32 young_room
    u64 *old            # those before them, likewise, or NULL
    i32 old_room
    i32 first_block
    i32 first_balance
    i32 mark
    i64 countdown       # when its orders end, 0 for never by this
    i64 stamp           # the last command that touched it
    Own *own            # its own limits, if it is LIMITED
    i64 pad2

cdef struct Page:       # 64 nonces of one account
    u64 number
    u64 used
    i64 account         # 0: the entry is free
    i32 blocks[8]       # of its open orders, 0 for none
    i64 pad

cdef struct Block:      # the open orders on 8 nonces of one account, of which there is one
    i32 slots[8]
    u64 number
    i32 account
    i32 count
    i32 prev
    i32 next
    i64 page            # where its page stands

cdef struct Expiry:     # of an order, or of an account's countdown under its id made negative
    i64 id
    i32 order
    i32 beside          # its second within its span

cdef struct Second:     # what expires in one second or span of seconds (expiries.pxi), in no order
    i64 key
    Expiry *expiries
    i64 used
    i64 room
    i32 next            # of the free ones

cdef struct Guess:      # what is known of a command before its turn
    i64 key             # of its price
    u64 hash_hash       # of its order hash
    i64 page            # of its nonce
    i32 account
    i32 block           # of its nonce
    i32 order           # that it cancels, or 0
    i32 book
    i32 span            # of its price, or 0
    i32 level           # likewise
    i64 pad2

cdef struct Incoming:   # an order on its way in
    Guess *guess
    Page *page          # of its nonce, or the free entry where that would stand
    const u8 *command
    const u8 *blob
    Book *book
    i64 *rates          # maker's, taker's, the higher that it can meet, the floor
    i64 notional
    i64 earned          # of the taker's fees, as TakerFees counts
    i64 charged
    i64 id              # which it has once it is accepted
    i64 price
    i64 quantity
    i64 remaining
    i64 held            # what backs it already, of an order that has waited
    i64 hidden          # when it rests
    u64 nonce
    i64 expiry
    i64 floor
    i64 terms
    u64 high            # the rest of its terms, and
    u64 trigger_price   # if it is longer than a command
    i64 max_fee_bps
    i32 book_number
    i32 account
    i32 pays
    i32 gets
    i32 maker_ppm
    i32 taker_ppm
    i32 hold_ppm
    i32 cap_bps
    i32 hashes
    u8 side
    u8 scheme
    u8 by_quote         # its quantity, and what remains of it, count quote units; such an order never rests
    u8 flags            # that its record will have

cdef struct Sum:        # in 128 bits; of an asset
    u64 low
    u64 high
    uint32_t asset

cdef struct Look:       # what an all-or-none order has seen of a book so far
    i64 missing
    i64 taken
    i64 quote
    i64 unit
    i64 fills_left
    i64 hashes_left

cdef struct Trade:
    i64 seq
    i64 at_ms
    i64 price
    i64 lots
    i64 maker_order
    i64 maker_fee
    i64 taker_fee
    i64 maker_remaining
    i64 taker_remaining
    i32 maker_account
    i32 taker_account
    i32 book
    u8 side
    u8 gone
    u8 pad[2]

cdef struct Pieces:
    void **blocks       # the latest block of them; each begins with where the one before it is
    i64 left            # of it, in bytes
    i64 size
    void **free[6]      # pieces of each size to be used again; each begins likewise

cdef struct Outcome:    # what became of one command, where nobody follows: a line holds four
    i32 refusal         # 0: it was accepted
    i32 reason          # why its order ended, OPEN for one that rests
    i64 remaining       # of its order; where it was refused, the id under which that order was taken before, 0 for none

cdef struct Memory:
    i64 seq
    i64 at_ms
    i64 stamp
    i64 changes
    i64 last_trade
    i64 oldest          # -1 for none
    i64 max_unsettled_ms
    i64 max_open_orders
    i64 max_fills
    i64 record_fills    # what the record's earlier orders have used of what a batch takes
    i64 record_hashes
    i64 fee_cap_bps
    u64 seed
    i64 message
    i64 blob_size

    Order *orders
    Paper *papers
    i64 orders_used
    i64 orders_room
    i64 open_count
    i32 free_order

    Balance *balances
    i32 *next_balance
    i64 balances_used
    i64 balances_room

    Account *accounts
    i64 accounts_used
    i64 accounts_room
    i32 *by_address
    i64 by_address_room
    i32 *columns        # per account, the balance in each column's asset
    i64 columns_width
    i64 columns_used
    uint32_t column_assets[64]
    u64 limited_columns # a bit for each column in which some account has a limit of its own

    Book *books
    i64 books_used
    i32 by_market[256]  # by the lowest bits of the market's id, the book to try first
    i64 books_room

    Level *levels
    i64 levels_used
    i64 levels_room
    i32 free_level
    i32 dropped_level
    Span *spans
    i64 spans_used
    i64 spans_room
    i32 free_span
    SpanPlace *span_places
    i64 span_places_room
    i64 span_places_used
    u64 draws           # the last random number

    Pieces pieces       # what `young` and `old` of accounts are
    Page *pages
    i64 pages_used
    i64 pages_room
    Block *blocks
    i64 blocks_used
    i64 blocks_room
    i32 free_block

    Second *seconds
    i64 seconds_used
    i64 seconds_room
    i32 free_second
    i32 latest_second   # the one that was last put into
    i64 split_until     # everything before this is filed by second
    i64 soonest         # no expiry is before it
    i32 *second_heap    # the seconds that there are, the first on top
    i64 second_heap_used
    i64 second_heap_room
    i32 *second_places  # an open hash table of them
    i64 second_places_room
    i64 expiries_count
    i32 marks

    Trade *trades       # those of the ids from `first_trade` on
    i64 first_trade
    i64 trades_start
    i64 trades_used
    i64 trades_room
    i64 trades_count

    bint brief          # outcomes are left
    bint silent         # nobody follows: no events are told
    Outcome *outcomes
    i64 outcomes_room

    i64 *events
    i64 *event          # the next one's place
    i64 *events_end     # from here on there is none
    i64 events_room

    i32 *touched_balances
    i64 touched_balances_used
    i64 touched_balances_room
    i32 *touched_levels
    i64 touched_levels_used
    i64 touched_levels_room
    i32 *touched_accounts
    i64 touched_accounts_used
    i64 touched_accounts_room

    void *owner
    i32 failed
    i32 has_due         # a triggered order may wait for its turn, or an auction trade
    i32 has_calls       # orders gather in some market
    i32 in_frame
    bint selective      # what is one account's is told of followed accounts only

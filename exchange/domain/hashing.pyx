# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""EIP-712 hashes of many packed orders, or of many records, at once: struct hashes, digests, and the Merkle tree above
them.

The work of exchange.domain.frame and receipt in C, four at a time where the processor has AVX2, without the interpreter's
lock.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    static const uint64_t ROUNDS[24] = {
        0x0000000000000001ULL, 0x0000000000008082ULL, 0x800000000000808AULL, 0x8000000080008000ULL,
        0x000000000000808BULL, 0x0000000080000001ULL, 0x8000000080008081ULL, 0x8000000000008009ULL,
        0x000000000000008AULL, 0x0000000000000088ULL, 0x0000000080008009ULL, 0x000000008000000AULL,
        0x000000008000808BULL, 0x800000000000008BULL, 0x8000000000008089ULL, 0x8000000000008003ULL,
        0x8000000000008002ULL, 0x8000000000000080ULL, 0x000000000000800AULL, 0x800000008000000AULL,
        0x8000000080008081ULL, 0x8000000000008080ULL, 0x0000000080000001ULL, 0x8000000080008008ULL};

    #define ROL(x, n) ((x) << (n) | (x) >> (64 - (n)))

    /* Keccak-f[1600] on lanes of type T: one state, or four side by side */
    #define PERMUTATION(T) \
        T a0=s[0],a1=s[1],a2=s[2],a3=s[3],a4=s[4],a5=s[5],a6=s[6],a7=s[7],a8=s[8],a9=s[9],a10=s[10],a11=s[11],a12=s[12]; \
        T a13=s[13],a14=s[14],a15=s[15],a16=s[16],a17=s[17],a18=s[18],a19=s[19],a20=s[20],a21=s[21],a22=s[22],a23=s[23]; \
        T a24=s[24],c0,c1,c2,c3,c4,d0,d1,d2,d3,d4; \
        T b0,b1,b2,b3,b4,b5,b6,b7,b8,b9,b10,b11,b12,b13,b14,b15,b16,b17,b18,b19,b20,b21,b22,b23,b24; \
        for (int r = 0; r < 24; r++) { \
            c0=a0^a5^a10^a15^a20; c1=a1^a6^a11^a16^a21; c2=a2^a7^a12^a17^a22; c3=a3^a8^a13^a18^a23; c4=a4^a9^a14^a19^a24; \
            d0=c4^ROL(c1,1); d1=c0^ROL(c2,1); d2=c1^ROL(c3,1); d3=c2^ROL(c4,1); d4=c3^ROL(c0,1); \
            b0=a0^d0; b1=ROL(a6^d1,44); b2=ROL(a12^d2,43); b3=ROL(a18^d3,21); b4=ROL(a24^d4,14); \
            b5=ROL(a3^d3,28); b6=ROL(a9^d4,20); b7=ROL(a10^d0,3); b8=ROL(a16^d1,45); b9=ROL(a22^d2,61); \
            b10=ROL(a1^d1,1); b11=ROL(a7^d2,6); b12=ROL(a13^d3,25); b13=ROL(a19^d4,8); b14=ROL(a20^d0,18); \
            b15=ROL(a4^d4,27); b16=ROL(a5^d0,36); b17=ROL(a11^d1,10); b18=ROL(a17^d2,15); b19=ROL(a23^d3,56); \
            b20=ROL(a2^d2,62); b21=ROL(a8^d3,55); b22=ROL(a14^d4,39); b23=ROL(a15^d0,41); b24=ROL(a21^d1,2); \
            a0=b0^(~b1&b2)^ROUNDS[r]; a1=b1^(~b2&b3); a2=b2^(~b3&b4); a3=b3^(~b4&b0); a4=b4^(~b0&b1); \
            a5=b5^(~b6&b7); a6=b6^(~b7&b8); a7=b7^(~b8&b9); a8=b8^(~b9&b5); a9=b9^(~b5&b6); \
            a10=b10^(~b11&b12); a11=b11^(~b12&b13); a12=b12^(~b13&b14); a13=b13^(~b14&b10); a14=b14^(~b10&b11); \
            a15=b15^(~b16&b17); a16=b16^(~b17&b18); a17=b17^(~b18&b19); a18=b18^(~b19&b15); a19=b19^(~b15&b16); \
            a20=b20^(~b21&b22); a21=b21^(~b22&b23); a22=b22^(~b23&b24); a23=b23^(~b24&b20); a24=b24^(~b20&b21); \
        } \
        s[0]=a0;s[1]=a1;s[2]=a2;s[3]=a3;s[4]=a4;s[5]=a5;s[6]=a6;s[7]=a7;s[8]=a8;s[9]=a9;s[10]=a10;s[11]=a11;s[12]=a12; \
        s[13]=a13;s[14]=a14;s[15]=a15;s[16]=a16;s[17]=a17;s[18]=a18;s[19]=a19;s[20]=a20;s[21]=a21;s[22]=a22;s[23]=a23;s[24]=a24;

    /* whether the first 20 bytes of each 80 are the same */
    static int begin_alike(const uint8_t *orders, long size) {
        uint64_t first[3] = {0}, one[3] = {0}, differ = 0;
        memcpy(first, orders, 20);
        for (long at = 80; at < size; at += 80) {
            memcpy(one, orders + at, 20);
            differ |= (first[0] ^ one[0]) | (first[1] ^ one[1]) | (first[2] ^ one[2]);
        }
        return differ == 0;
    }

    static void permute(uint64_t *s) { PERMUTATION(uint64_t) }

    /* one message, whose length is a multiple of 8 once it is padded */
    static void hash_one(const uint8_t *padded, int blocks, uint8_t *out) {
        uint64_t s[25], lane;
        memset(s, 0, sizeof s);
        for (int block = 0; block < blocks; block++) {
            for (int i = 0; i < 17; i++) {
                memcpy(&lane, padded + 136 * block + 8 * i, 8);
                s[i] ^= lane;
            }
            permute(s);
        }
        memcpy(out, s, 32);
    }

    #if defined(__x86_64__) && defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    typedef uint64_t lanes __attribute__((vector_size(32)));

    __attribute__((target("avx2"))) static void permute_four(lanes *s) { PERMUTATION(lanes) }

    __attribute__((target("avx2"))) static void hash_side_by_side(const uint8_t *padded, int stride, int blocks, uint8_t *out) {
        lanes s[25];
        uint64_t lane[4];
        memset(s, 0, sizeof s);
        for (int block = 0; block < blocks; block++) {
            for (int i = 0; i < 17; i++) {
                for (int way = 0; way < 4; way++) memcpy(&lane[way], padded + stride * way + 136 * block + 8 * i, 8);
                s[i] ^= (lanes){lane[0], lane[1], lane[2], lane[3]};
            }
            permute_four(s);
        }
        for (int i = 0; i < 4; i++)
            for (int way = 0; way < 4; way++) memcpy(out + 32 * way + 8 * i, (uint8_t *)&s[i] + 8 * way, 8);
    }
    static int four_at_once(void) { return __builtin_cpu_supports("avx2"); }
    #else
    static void hash_side_by_side(const uint8_t *padded, int stride, int blocks, uint8_t *out) {}
    static int four_at_once(void) { return 0; }
    #endif

    /* four messages of as many blocks, `stride` bytes apart */
    static void hash_four(const uint8_t *padded, int stride, int blocks, uint8_t *out) {
        if (four_at_once()) {
            hash_side_by_side(padded, stride, blocks, out);
            return;
        }
        for (int way = 0; way < 4; way++) hash_one(padded + stride * way, blocks, out + 32 * way);
    }
    """
    bint begin_alike(const uint8_t *orders, long size) noexcept nogil
    void hash_one(const uint8_t *padded, int blocks, uint8_t *out) noexcept nogil
    void hash_four(const uint8_t *padded, int stride, int blocks, uint8_t *out) noexcept nogil

cdef enum:
    BLOCK = 136
    PACKED = 80
    STRUCT_SIZE = 352       # the type's hash and ten fields
    STRUCT_BLOCKS = 3
    RECORD_SIZE = 160       # the type's hash and four fields
    RECORD_BLOCKS = 2


cdef void pad(uint8_t *message, int size, int blocks) noexcept nogil:
    memset(message + size, 0, BLOCK * blocks - size)
    message[size] |= 1
    message[BLOCK * blocks - 1] |= 128


cdef void encode_order(const uint8_t *order, const uint8_t *type_hash, uint8_t *message) noexcept nogil:
    """What `hashStruct` hashes of a packed order: each field at the end of a word."""
    memset(message, 0, STRUCT_SIZE)
    memcpy(message, type_hash, 32)
    memcpy(message + 32 + 12, order, 20)            # account
    memcpy(message + 64 + 28, order + 20, 4)        # market
    message[96 + 31] = order[31]                    # side
    memcpy(message + 128 + 24, order + 32, 8)       # price
    memcpy(message + 160 + 24, order + 40, 8)       # quantity
    memcpy(message + 192 + 24, order + 48, 8)       # nonce
    memcpy(message + 224 + 27, order + 24, 5)       # expiry
    memcpy(message + 256 + 24, order + 56, 8)       # trigger_price
    memcpy(message + 288 + 30, order + 29, 2)       # max_fee_bps
    memcpy(message + 320 + 16, order + 64, 16)      # terms
    pad(message, STRUCT_SIZE, STRUCT_BLOCKS)


cdef void hash_structs(const uint8_t *orders, long count, const uint8_t *type_hash, uint8_t *out) noexcept nogil:
    cdef uint8_t messages[4 * BLOCK * STRUCT_BLOCKS]
    cdef uint8_t hashes[128]
    cdef long first, i, here
    for first in range(0, count, 4):
        here = count - first if count - first < 4 else 4
        for i in range(here):
            encode_order(orders + PACKED * (first + i), type_hash, messages + BLOCK * STRUCT_BLOCKS * i)
        if here == 4:
            hash_four(messages, BLOCK * STRUCT_BLOCKS, STRUCT_BLOCKS, out + 32 * first)
        else:
            for i in range(here):
                hash_one(messages + BLOCK * STRUCT_BLOCKS * i, STRUCT_BLOCKS, hashes)
                memcpy(out + 32 * (first + i), hashes, 32)


cdef void hash_short(const uint8_t *prefix, int prefix_size, const uint8_t *parts, int size, long count,
                     uint8_t *out) noexcept nogil:
    """The hash of the prefix and each part of `size` bytes; together less than a block."""
    cdef uint8_t messages[4 * BLOCK]
    cdef long first, i, here
    for first in range(0, count, 4):
        here = count - first if count - first < 4 else 4
        for i in range(here):
            memcpy(messages + BLOCK * i, prefix, prefix_size)
            memcpy(messages + BLOCK * i + prefix_size, parts + size * (first + i), size)
            pad(messages + BLOCK * i, prefix_size + size, 1)
        if here == 4:
            hash_four(messages, BLOCK, 1, out + 32 * first)
        else:
            for i in range(here):
                hash_one(messages + BLOCK * i, 1, out + 32 * (first + i))


def keccak(const uint8_t[::1] data):
    """Keccak-256 of any bytes; for the tests of what is used below."""
    cdef long size = data.shape[0], blocks = size // BLOCK + 1
    padded = bytearray(BLOCK * blocks)
    cdef uint8_t[::1] message = padded
    cdef uint8_t out[32]
    if size:
        memcpy(&message[0], &data[0], size)
    message[size] |= 1
    message[BLOCK * blocks - 1] |= 128
    hash_one(&message[0], <int>blocks, out)
    return out[:32]


def unfold(const uint8_t[::1] orders, bytes prefix, bytes type_hash, bytes empty_hash):
    """The orders' digests, and the levels of the tree above their struct hashes, one after another, the root last.

    `prefix` is what stands before a struct's hash in its digest: 0x1901 and the domain's separator.
    """
    cdef long count = orders.shape[0] // PACKED, width = 2, level, i
    if count < 1 or orders.shape[0] != PACKED * count or len(prefix) != 34 or len(type_hash) != 32 or len(empty_hash) != 32:
        raise ValueError("orders have 80 bytes each, and there is one at least")
    while width < count:
        width *= 2
    digests = bytearray(32 * count)
    nodes = bytearray(32 * (2 * width - 1))
    cdef uint8_t[::1] digests_view = digests, nodes_view = nodes
    cdef uint8_t *at = &nodes_view[0]
    cdef const uint8_t *before = prefix, *kind = type_hash, *empty = empty_hash
    with nogil:
        hash_structs(&orders[0], count, kind, at)
        hash_short(before, 34, at, 32, count, &digests_view[0])
        for i in range(count, width):
            memcpy(at + 32 * i, empty, 32)
        level = width
        while level > 1:
            hash_short(before, 0, at, 64, level // 2, at + 32 * level)
            at += 32 * level
            level //= 2
    return bytes(digests), bytes(nodes)


def are_of_one_account(const uint8_t[::1] orders):
    """Whether all packed orders, of which there is one at least, begin with the same 20 bytes."""
    if orders.shape[0] < PACKED or orders.shape[0] % PACKED:
        raise ValueError("orders have 80 bytes each, and there is one at least")
    return begin_alike(&orders[0], orders.shape[0])


cdef void encode_record(uint64_t seq, uint64_t at_ms, const uint8_t *subject, const uint8_t *head, const uint8_t *type_hash,
                        uint8_t *message) noexcept nogil:
    """What `hashStruct` hashes of a record."""
    cdef int i
    memcpy(message, type_hash, 32)
    memset(message + 32, 0, 64)
    for i in range(8):
        message[63 - i] = <uint8_t>(seq >> 8 * i)
        message[95 - i] = <uint8_t>(at_ms >> 8 * i)
    memcpy(message + 96, subject, 32)
    memcpy(message + 128, head, 32)
    pad(message, RECORD_SIZE, RECORD_BLOCKS)


def record_hashes(uint64_t first_seq, uint64_t at_ms, const uint8_t[::1] subjects, const uint8_t[::1] heads, bytes type_hash):
    """The hashes of records from `first_seq` on, one after another."""
    cdef long count = subjects.shape[0] // 32, first, i, here
    if subjects.shape[0] != 32 * count or heads.shape[0] != 32 * count or len(type_hash) != 32:
        raise ValueError("each record has a subject and a head of 32 bytes")
    hashes = bytearray(32 * count)
    cdef uint8_t[::1] out = hashes
    cdef uint8_t messages[4 * BLOCK * RECORD_BLOCKS]
    cdef const uint8_t *kind = type_hash
    with nogil:
        for first in range(0, count, 4):
            here = count - first if count - first < 4 else 4
            for i in range(here):
                encode_record(first_seq + first + i, at_ms, &subjects[32 * (first + i)], &heads[32 * (first + i)], kind,
                              messages + BLOCK * RECORD_BLOCKS * i)
            if here == 4:
                hash_four(messages, BLOCK * RECORD_BLOCKS, RECORD_BLOCKS, &out[32 * first])
            else:
                for i in range(here):
                    hash_one(messages + BLOCK * RECORD_BLOCKS * i, RECORD_BLOCKS, &out[32 * (first + i)])
    return bytes(hashes)


def record_tree(const uint8_t[::1] leaves):
    """The levels of the tree over the leaves, one after another, the root last. A level that is odd, unless it is the root,
    has one more node: that above free places only, which are zeros."""
    cdef long count = leaves.shape[0] // 32, width, total = 0
    if count < 1 or leaves.shape[0] != 32 * count:
        raise ValueError("leaves have 32 bytes each, and there is one at least")
    width = count
    while width > 1:
        width += width & 1
        total += width
        width //= 2
    nodes = bytearray(32 * (total + 1))
    cdef uint8_t[::1] view = nodes
    cdef uint8_t *at = &view[0]
    cdef uint8_t empty[64]
    cdef uint8_t above[32]
    with nogil:
        memcpy(at, &leaves[0], 32 * count)
        memset(empty, 0, 64)
        width = count
        while width > 1:
            if width & 1:
                memcpy(at + 32 * width, empty, 32)
                width += 1
            hash_short(empty, 0, at, 64, width // 2, at + 32 * width)
            hash_short(empty, 0, empty, 64, 1, above)
            memcpy(empty, above, 32)
            memcpy(empty + 32, above, 32)
            at += 32 * width
            width //= 2
    return bytes(nodes)

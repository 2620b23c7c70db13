# Arrays that grow: at the start of a line of the cache, zero where they are new. Large ones live in mappings of their
# own, in huge pages where the system has them, and grow in place or by moving pages: nothing is copied.

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #ifdef __linux__
    #include <sys/mman.h>
    #endif

    #define LINE 64
    #define HUGE_PAGE (INT64_C(1) << 21)

    typedef struct { int64_t bytes; int64_t mapped; char pad[LINE - 16]; } ArrayHead;

    #if defined(__linux__) && defined(MREMAP_FIXED) && defined(MADV_HUGEPAGE)
    /* `bytes` (whole huge pages) at the start of a huge page, with what `before` holds, which is gone; NULL for none */
    static ArrayHead *mapping(ArrayHead *before, int64_t bytes) {
        uintptr_t space = (uintptr_t)mmap(NULL, bytes + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (space == (uintptr_t)MAP_FAILED) return NULL;
        uintptr_t start = (space + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
        if (start > space) munmap((void *)space, start - space);
        munmap((void *)(start + bytes), space + HUGE_PAGE - start);
        int moves = before != NULL && before->mapped;
        void *found = moves
            ? mremap(before, before->bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start)
            : mmap((void *)start, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (found == MAP_FAILED) return NULL;
        madvise(found, bytes, MADV_HUGEPAGE);
        ArrayHead *head = (ArrayHead *)found;
        if (before != NULL && !moves) {
            memcpy(head, before, before->bytes);
            free(before);
        }
        head->bytes = bytes;
        head->mapped = 1;
        return head;
    }
    #else
    #define mapping(before, bytes) NULL
    #endif

    static ArrayHead *block(ArrayHead *before, int64_t bytes) {
        void *found = NULL;
        if (posix_memalign(&found, LINE, bytes)) return NULL;
        int64_t kept = before != NULL ? before->bytes : (int64_t)sizeof(ArrayHead);
        if (before != NULL) memcpy(found, before, kept);
        free(before);
        memset((char *)found + kept, 0, bytes - kept);
        ((ArrayHead *)found)->bytes = bytes;
        ((ArrayHead *)found)->mapped = 0;
        return (ArrayHead *)found;
    }

    /* an array of `bytes` with what `before` (NULL for nothing) holds, which is gone; NULL without memory */
    static void *enlarged(void *before, int64_t bytes) {
        ArrayHead *head = before != NULL ? (ArrayHead *)before - 1 : NULL, *found = NULL;
        bytes += sizeof(ArrayHead);
        if (bytes >= HUGE_PAGE >> 1) found = mapping(head, (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
        if (found == NULL && !(head != NULL && head->mapped)) found = block(head, bytes);
        return found != NULL ? found + 1 : NULL;
    }

    static void release(void *array) {
        if (array == NULL) return;
        ArrayHead *head = (ArrayHead *)array - 1;
    #ifdef __linux__
        if (head->mapped) {
            munmap(head, head->bytes);
            return;
        }
    #endif
        free(head);
    }
    """
    void *enlarged(void *before, int64_t size) noexcept nogil
    void release(void *array) noexcept nogil


cdef void *grown(void *array, i64 *room, i64 needed, i64 size) noexcept nogil:
    """`array` with room for `needed` records; what is new is zero. Without memory the process ends."""
    cdef i64 after = room[0]
    if likely(needed <= after):
        return array
    if after < 16:
        after = 16
    while after < needed:
        after *= 2
    cdef void *larger = enlarged(array, after * size)
    if larger == NULL:
        fatal(b"the matching engine has no memory left")
    room[0] = after
    return larger


# pieces: what accounts have of their own comes out of larger blocks, so that thousands of them stand in huge pages too

cdef enum:
    PIECE = 1408                    # bytes of a piece of size 0; each further size is twice as large
    PIECE_SIZES = 6
    FIRST_BLOCK = (1 << 16) - 64    # bytes of the first block of pieces
    LARGEST_BLOCK = (1 << 21) - 64  # with its head a huge page


cdef void new_block_of_pieces(Pieces *pieces) noexcept nogil:
    cdef void **block
    pieces.size = min(2 * pieces.size, LARGEST_BLOCK) if pieces.size else FIRST_BLOCK
    block = <void **>enlarged(NULL, pieces.size)
    if block == NULL:
        fatal(b"the matching engine has no memory left")
    block[0] = pieces.blocks
    pieces.blocks, pieces.left = block, pieces.size - 64


cdef void *new_piece(Pieces *pieces, i32 size) noexcept nogil:
    """A piece, from the start of a line on; what it holds is anything."""
    cdef void **piece = pieces.free[size]
    cdef i64 bytes = <i64>PIECE << size
    if piece != NULL:
        pieces.free[size] = <void **>piece[0]
        return piece
    if pieces.left < bytes:
        new_block_of_pieces(pieces)
    pieces.left -= bytes
    return <u8 *>pieces.blocks + (pieces.size - pieces.left - bytes)


cdef void free_piece(Pieces *pieces, i32 size, void *piece) noexcept nogil:
    (<void **>piece)[0] = pieces.free[size]
    pieces.free[size] = <void **>piece


cdef void release_pieces(Pieces *pieces) noexcept nogil:
    cdef void **block = pieces.blocks
    while block != NULL:
        pieces.blocks = <void **>block[0]
        release(block)
        block = pieces.blocks


cdef extern from "Python.h":
    void fatal "Py_FatalError"(const char *message) noexcept nogil

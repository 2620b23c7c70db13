"""The fast engine: the reference's rules over arrays, in Cython where it is hot. Missing without a compiler."""

"""Cases of market surveillance, for operators."""

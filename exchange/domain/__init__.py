"""What the exchange is made of: values and formulas, with no clock, no I/O and no dependency but one keccak."""

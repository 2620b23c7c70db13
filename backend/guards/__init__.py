"""Guards: freezes and allow-lists of accounts, limits of outflow and who approves."""

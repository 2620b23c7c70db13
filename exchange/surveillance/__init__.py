"""Market surveillance: patterns of abuse in what was placed, traded and ended, found by pure functions."""

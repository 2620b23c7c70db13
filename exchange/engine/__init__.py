"""The matching engine: a deterministic state machine of integers."""

"""The matching engine: one deterministic state machine, `(state, command) -> events`."""

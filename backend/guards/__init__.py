"""Fees: schedules and what is announced, an account's own, what batches collected."""

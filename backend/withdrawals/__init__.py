"""Signed withdrawals and transfers to the funding balance."""

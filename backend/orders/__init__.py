"""Signed orders and cancels, and what became of them."""

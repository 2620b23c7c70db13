"""Durability: append, group commit, snapshot, recovery."""

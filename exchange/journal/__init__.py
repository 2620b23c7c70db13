"""Durability: the hash-chained journal of accepted commands, its snapshots, and recovery by replay."""

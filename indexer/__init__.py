"""The mirror of the chain in PostgreSQL."""

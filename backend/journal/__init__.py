"""The published journal: its signed pieces, as hashes for everybody, raw for auditors."""

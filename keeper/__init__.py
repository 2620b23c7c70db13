"""The duties that move things on chain: settlement first."""

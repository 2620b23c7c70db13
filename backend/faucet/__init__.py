"""Play money for newcomers, on the local chain only."""

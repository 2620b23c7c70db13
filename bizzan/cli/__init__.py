"""The command line `bizzan`."""

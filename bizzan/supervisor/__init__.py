"""Starts, watches, restarts and stops the processes of the local stack."""

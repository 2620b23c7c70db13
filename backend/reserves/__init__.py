"""Reserves: what users own by token, to be held against what the contract has."""

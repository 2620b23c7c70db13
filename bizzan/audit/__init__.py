"""The audit: proves, from the chain and the journal, that the exchange owes nobody more than it holds.

It reads the chain by itself, replays the journal by itself and compares the two with each other and with the
database. It needs no key and changes nothing.
"""

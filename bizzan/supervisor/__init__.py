"""Starts, watches, restarts and stops the processes of the local stack.

errors     what can go wrong before a process runs, each with what to do
ports      free and taken ports
process    one child process: log file, death with its parent, stop and kill
anvil      the chain node and its saved state
postgres   the database server
service    one process of the exchange itself
stack      all of them: order, restarts, clean stop
"""

"""The operator's console: who may open it, what it shows, and what it does, each with an entry in the log."""

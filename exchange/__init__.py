"""What the exchange is: domain, engine, journal, sequencer, database and chain."""

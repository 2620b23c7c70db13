"""All RPC: log decoding, block follower, transaction submitter."""

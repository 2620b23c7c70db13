"""Sign-in with Ethereum (EIP-4361), for private reads."""

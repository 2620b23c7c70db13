"""What the exchange is, how it is, and the page that says so."""

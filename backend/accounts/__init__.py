"""An account's balances, fills and deposits."""

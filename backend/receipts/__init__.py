"""Receipts of signed messages, given again to whoever signed them."""

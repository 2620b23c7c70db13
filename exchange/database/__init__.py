"""All SQL: migrations and one query module per aggregate."""

"""Vendors: a row in the table, or a file when one behaves in its own way."""

"""Tokens of vendors whose credential is no static key: fetched and renewed here, beside the path."""

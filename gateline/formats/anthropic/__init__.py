"""Anthropic's format: Messages and the counting of their tokens."""

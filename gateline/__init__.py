"""Gateline: an AI gateway. Importing this package costs nothing; each process imports what it runs."""

__version__ = "0.1.0"

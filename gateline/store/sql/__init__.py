"""The embedded database: tables and how it is opened."""

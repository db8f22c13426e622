"""The admin API, on a Unix socket that only the owner can open, and the metrics page, on TCP."""

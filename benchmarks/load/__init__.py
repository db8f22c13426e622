"""The figures, one a file: each starts what it needs, measures in interleaved rounds and returns its rows."""

"""API formats, one a file, both directions, pure."""

"""Local inference: one process a model, continuous batching, reached over a Unix socket."""

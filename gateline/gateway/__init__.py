"""The data plane: one request from head to record, one stage a file."""

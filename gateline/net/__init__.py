"""The only folder that touches sockets."""

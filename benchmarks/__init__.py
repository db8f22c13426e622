"""The benchmark suite: `micro` without sockets, `load` against nginx and other gateways in the same run."""

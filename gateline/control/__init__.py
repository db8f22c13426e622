"""The control plane: configuration, keys, snapshots, ledger import, admin API."""

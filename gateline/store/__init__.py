"""The only folder that touches disks, shared memory and databases."""

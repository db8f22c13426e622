"""Composition: one file a process, the only place that knows every class."""

"""Codecs between bytes and events. No sockets, no loop: every one is tested by feeding it bytes."""

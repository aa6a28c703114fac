"""Nodes of speech that need programs of the host."""

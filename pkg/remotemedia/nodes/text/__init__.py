"""Nodes on text."""

NODES = {"TextCollector": "collector:TextCollector"}

ALIASES = {"TextCollectorNode": "TextCollector"}

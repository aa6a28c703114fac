"""Nodes on text."""

NODES = {
    "Captions": "captions:Captions",
    "TextCollector": "collector:TextCollector",
}

ALIASES = {"TextCollectorNode": "TextCollector"}

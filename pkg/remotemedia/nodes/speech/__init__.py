"""Nodes that take part in a conversation: what goes ahead on trial, utterances, turns."""

NODES = {
    "SpeculativeVADGate": "vad_gate:SpeculativeVADGate",
}

ALIASES: dict[str, str] = {}

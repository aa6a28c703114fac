"""Nodes that compute with models. A page loads this folder only for graphs that have such nodes."""

NODES = {
    "SileroVAD": "silero_vad:SileroVAD",
}

ALIASES = {
    "SileroVADNode": "SileroVAD",
}

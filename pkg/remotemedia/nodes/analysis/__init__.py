"""Nodes that measure audio or find events in it."""

NODES = {
    "AudioLevel": "level:AudioLevel",
    "EnergyVAD": "energy_vad:EnergyVAD",
}

ALIASES = {
    "AudioLevelNode": "AudioLevel",
    "FastVADNode": "EnergyVAD",
    "RustVADNode": "EnergyVAD",
    "VADNode": "EnergyVAD",
    "VoiceActivityDetector": "EnergyVAD",
}

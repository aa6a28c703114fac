"""Nodes for speech that work natively only: espeak-ng speaks, Whisper transcribes."""

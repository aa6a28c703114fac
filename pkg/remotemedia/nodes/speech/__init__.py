"""Nodes that take part in a conversation: what goes ahead on trial, utterances, turns."""

NODES = {
    "AudioBufferAccumulator": "audio_buffer:AudioBufferAccumulator",
    "ConversationCoordinator": "coordinator:ConversationCoordinator",
    "SpeculativeAudioCommit": "audio_commit:SpeculativeAudioCommit",
    "SpeculativeVADGate": "vad_gate:SpeculativeVADGate",
}

ALIASES = {
    "AudioBufferAccumulatorNode": "AudioBufferAccumulator",
    "ConversationCoordinatorNode": "ConversationCoordinator",
    "SpeculativeAudioCommitNode": "SpeculativeAudioCommit",
    "SpeculativeVADGateNode": "SpeculativeVADGate",
}

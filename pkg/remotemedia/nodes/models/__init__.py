"""Nodes that compute with models. A page loads this folder only for graphs that have such nodes."""

NODES = {
    "Denoise": "denoise:Denoise",
    "OnnxNode": "onnx_node:OnnxNode",
    "SileroVAD": "silero_vad:SileroVAD",
    "TextToSpeech": "text_to_speech:TextToSpeech",
    "TurnDetector": "turn_detector:TurnDetector",
    "WakeWord": "wake_word:WakeWord",
}

ALIASES = {
    "DenoiseNode": "Denoise",
    "ONNXNode": "OnnxNode",
    "SileroVADNode": "SileroVAD",
    "TextToSpeechNode": "TextToSpeech",
    "TurnDetectorNode": "TurnDetector",
    "WakeWordNode": "WakeWord",
}

"""Nodes that change audio."""

NODES = {
    "AudioChunker": "chunker:AudioChunker",
    "AudioFormatConvert": "format_convert:AudioFormatConvert",
    "AudioResample": "resample:AudioResample",
    "ChannelMix": "channel_mix:ChannelMix",
    "Gain": "gain:Gain",
    "IIRFilter": "iir_filter:IIRFilter",
    "TimeStretch": "time_stretch:TimeStretch",
}

ALIASES = {
    "AudioChannelMixer": "ChannelMix",
    "AudioChunkerNode": "AudioChunker",
    "AudioResampleNode": "AudioResample",
    "ChannelMixer": "ChannelMix",
    "FastResampleNode": "AudioResample",
    "FormatConverter": "AudioFormatConvert",
    "RustFormatConverterNode": "AudioFormatConvert",
    "RustResampleNode": "AudioResample",
}

"""Models in a page: their files, and onnxruntime-web. Loaded for graphs that have some."""

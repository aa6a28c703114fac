"""What RemoteMedia adds on CPython only: processes, shared memory, ONNX, devices, servers.

The core never imports this package; it finds what is here through entry points.
"""

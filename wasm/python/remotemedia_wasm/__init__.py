"""The Python that runs only inside Pyodide: the bridge between a page and the core.

The core never imports this package; the page's worker does.
"""

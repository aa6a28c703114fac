"""What the benchmarks share: one way to report, peers in other environments, Pyodide under Node."""

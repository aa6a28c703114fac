"""Nodes on any data."""

NODES = {
    "Calculator": "calculator:Calculator",
    "PassThrough": "pass_through:PassThrough",
}

ALIASES = {"CalculatorNode": "Calculator", "PassThroughNode": "PassThrough"}

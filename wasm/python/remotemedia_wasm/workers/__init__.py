"""Nodes in Web Workers of their own: the executor of a page.

Loaded only by a graph that has such a node. The session's side is `executor` and what it imports;
`inside` is what runs in a node's worker. `messages` has all that the two say to each other.
"""

"""Processes for nodes: started, spoken to, watched, ended, and cleaned up after.

Nothing here knows of sessions, plans or packets.
"""

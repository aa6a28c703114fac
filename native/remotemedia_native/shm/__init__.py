"""Shared memory between the processes of a session: topics, and bells that wake their readers."""

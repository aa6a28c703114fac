"""Shared memory between the processes of a session: topics, and the bells that wake their readers."""

"""Errors of topics.

::

    SessionError
    ├── MessageTooLargeError   larger than `TopicSpec.max_size`
    └── SharedMemoryFullError  the host has no more memory to share
"""

from __future__ import annotations

from remotemedia.errors import SessionError


class MessageTooLargeError(SessionError):
    """A message is larger than its topic allows.

    Parameters
    ----------
    topic : str
        Its name.
    size, max_size : int
        What was wanted, and the most there may be, bytes.
    """

    code = "message_too_large"

    def __init__(self, topic: str, size: int, max_size: int) -> None:
        super().__init__(
            f"topic {topic!r}: a message of {size:,} bytes, but max_size is {max_size:,}: "
            "send smaller pieces, or make the topic with a larger max_size"
        )
        self.topic = topic
        self.size = size
        self.max_size = max_size


class SharedMemoryFullError(SessionError):
    """The host has no more memory to share.

    Parameters
    ----------
    topic : str
        Its name.
    wanted, free : int
        What was wanted, and what is free, bytes.
    """

    code = "shared_memory_full"

    def __init__(self, topic: str, wanted: int, free: int) -> None:
        super().__init__(
            f"topic {topic!r} wants {wanted:,} bytes more of shared memory, and {free:,} are free: "
            "give the host more (docker run --shm-size=1g, or mount -o remount,size=… /dev/shm), "
            "or make do with less: smaller messages, fewer of them, or a smaller max_size"
        )
        self.topic = topic
        self.wanted = wanted
        self.free = free

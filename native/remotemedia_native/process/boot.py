"""What a child runs first, as a file: only the standard library can be imported by now.

Its arguments are the file descriptor of the control socket, the parent's process id, and the
function to run. The first message has what this process needs to import what its parent can.
"""

import faulthandler
import json
import os
import signal
import struct
import sys


def read(fd: int, size: int) -> bytes:
    """Wait for so many bytes; ends the process if the parent is gone."""
    data = b""
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            os._exit(1)
        data += more
    return data


def boot() -> None:
    """Get ready, then hand over to `child`."""
    fd, parent = int(sys.argv[1]), int(sys.argv[2])
    faulthandler.enable(all_threads=False)  # what crashed is to be among the last lines
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    # Until here `launch` held back those two, which kill by default; its thread may hold back more.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    size, _ = struct.unpack("<IB", read(fd, 5))  # as in control.py
    first = json.loads(read(fd, size))
    sys.path[:] = first["path"]
    from remotemedia_native.process import guard

    guard.die_with(parent, fd)  # before what takes time
    from remotemedia_native.process import child

    child.run(fd, sys.argv[3], first)


if __name__ == "__main__":
    boot()

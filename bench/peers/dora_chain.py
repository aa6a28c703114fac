"""dora-rs: five Python nodes, each a process, and a client that is their source and their sink.

Its best: `dora run`, one machine and no coordinator; queues of 64 that hold the sender up
(`queue_policy: backpressure`; else a full queue drops its oldest); one reused Arrow view of the
samples per message, no metadata; logs at `error`. The client is one node of the dataflow: its
requests come through a socket from the process that was asked. A chunk that does not come back
within 3 s is lost: the turn goes on without it, and its wait does not count.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
from dora import Node
from leftovers import mapped, remove
from serve import NODES, chunk_bytes, gain, serve

PATIENCE = 3.0  # s
START = 60.0  # s
QUEUE = 64
DORA = "import sys, dora_cli; sys.exit(dora_cli.py_main())"  # its script knows an old path


def dataflow(client: list[str], each: list[str]) -> str:
    """The graph; JSON is YAML as well."""
    ids = ["client", *(f"gain{number}" for number in range(NODES))]
    nodes = [
        {
            "id": name,
            "path": sys.executable,
            "args": " ".join(client if name == "client" else each),
            "inputs": {
                "in": {
                    "source": f"{ids[number - 1]}/out",
                    "queue_size": QUEUE,
                    "queue_policy": "backpressure",
                }
            },
            "outputs": ["out"],
        }
        for number, name in enumerate(ids)
    ]
    return json.dumps({"nodes": nodes})


def be_node() -> None:
    """One gain."""
    factor = np.float32(gain())
    node = Node()
    for event in node:
        if event["type"] == "INPUT":
            samples = event["value"].to_numpy(zero_copy_only=True)
            node.send_output("out", pa.array(samples * factor))
        elif event["type"] == "STOP":
            return


class Client:
    """Source and sink."""

    def __init__(self) -> None:
        self.node = Node()
        self.samples = pa.array(np.frombuffer(chunk_bytes(), np.float32))
        self.last = b""
        self.lost = 0

    def send(self) -> None:
        """One chunk."""
        self.node.send_output("out", self.samples)

    def receive(self) -> bool:
        """The next chunk that comes; false if none does."""
        until = perf_counter() + PATIENCE
        while (left := until - perf_counter()) > 0:
            event = self.node.next(timeout=left)
            if event is None or event["type"] == "STOP":
                sys.exit("the dataflow ended")
            if event["type"] == "INPUT":
                self.value = event["value"]
                return True
        return False

    def stream(self, chunks: int, in_flight: int) -> float:
        """So many under way, always; seconds for as many as were asked for."""
        sent = min(in_flight, chunks)
        start = perf_counter()
        for _ in range(sent):
            self.send()
        received, end = 0, start
        while received < chunks and self.receive():
            received += 1
            end = perf_counter()
            if sent < chunks:
                self.send()
                sent += 1
        self.lost += chunks - received
        if not received:
            sys.exit("nothing came back")
        return (end - start) * chunks / received

    def single(self, chunks: int) -> list[float]:
        """One in flight."""
        times = []
        for _ in range(chunks):
            start = perf_counter()
            self.send()
            if self.receive():
                times.append(perf_counter() - start)
            else:
                self.lost += 1
        return times

    def first(self) -> bytes:
        """The proof of the same work; all nodes are up once it comes."""
        until = perf_counter() + START
        while perf_counter() < until:
            self.send()
            if self.receive():
                return self.value.to_numpy().tobytes()
        sys.exit("no chunk comes back")


def be_client(path: str) -> None:
    """Answer requests from the socket, as any peer does from stdin."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    client = Client()
    result = client.first()
    os.dup2(link.fileno(), 0)
    os.dup2(link.fileno(), 1)
    serve(
        {"dora-rs": version("dora-rs"), "pyarrow": pa.__version__, "numpy": np.__version__},
        result,
        {
            "stream_8": lambda chunks: client.stream(chunks, 8),
            "stream_32": lambda chunks: client.stream(chunks, 32),
            "single": client.single,
            "lost": lambda _chunks: float(client.lost),
        },
    )


def main() -> None:
    """Run the dataflow, and pass on what is asked and answered until stdin ends."""
    factor = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="rmdora") as folder:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path := f"{folder}/client")
        listener.listen()
        listener.settimeout(START)
        script = str(Path(__file__).resolve())
        graph = Path(folder, "dataflow.yml")
        graph.write_text(dataflow([script, factor, path], [script, factor, "node"]))
        log = Path(folder, "log")
        with log.open("wb") as said:
            running = subprocess.Popen(
                [sys.executable, "-c", DORA, "run", "--log-level=error", graph],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=folder,
            )
        files = set()
        try:
            link, _ = listener.accept()
            with link, link.makefile("rw") as client:
                while line := client.readline():
                    sys.stdout.write(line)
                    sys.stdout.flush()
                    files = mapped(r"\d+\.zenoh")
                    if not (request := sys.stdin.readline()):
                        break
                    client.write(request)
                    client.flush()
                else:
                    sys.exit(log.read_text(errors="replace"))
        except TimeoutError:
            sys.exit(f"dora did not start:\n{log.read_text(errors='replace')}")
        finally:
            running.send_signal(signal.SIGINT)
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            remove(files)


if len(sys.argv) == 2:
    main()
elif sys.argv[2] == "node":
    be_node()
else:
    be_client(sys.argv[2])

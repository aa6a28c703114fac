"""Peers: other systems that do the same work in environments of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.report import REPOSITORY

PEERS = REPOSITORY / "bench" / "peers"
TIME_TO_END_S = 30


def environments(*names: str) -> dict[str, Path]:
    """The Python of each of these peers, installed if it is not there yet.

    Raises
    ------
    CalledProcessError
        One cannot be installed; the reason was printed.
    """
    command = [sys.executable, REPOSITORY / "scripts" / "bench_peers.py", *names]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: Path(python) for name, python in json.loads(found).items()}


class Peer:
    """A running peer; see peers/serve.py for what it is asked.

    Attributes
    ----------
    versions : dict
        What runs in it.
    result : bytes
        One chunk after all nodes.
    """

    def __init__(self, name: str, python: Path, *arguments: str) -> None:
        self.name = name
        script = PEERS / f"{name}_chain.py"
        self._process = subprocess.Popen(
            [python, script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = self._answer()
        self.versions: dict[str, str] = said["versions"]
        self.result = bytes.fromhex(said["result"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:  # its stdin ends, so it ends what it has started, and itself
            self._process.communicate(timeout=TIME_TO_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def ask(self, work: str, chunks: int) -> Any:
        """Have it work: the seconds that all chunks took, or those of each."""
        stdin = self._process.stdin
        print(json.dumps({"work": work, "chunks": chunks}), file=stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._process.kill()
            raise RuntimeError(f"{self.name} ended:\n{self._process.communicate()[1][-2000:]}")
        return json.loads(line)

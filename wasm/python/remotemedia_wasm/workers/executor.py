"""The executor `worker`: nodes in Web Workers of their own, in a page."""

from __future__ import annotations

from collections.abc import Iterator

from remotemedia.errors import UnavailableError
from remotemedia.graph import GraphNode
from remotemedia.node import Node
from remotemedia.session.parts import Surroundings
from remotemedia_wasm.workers.crew import Crew


class WorkerExecutor:
    """Runs each node, or each `process_group`, in a worker with a Python of its own.

    Raises
    ------
    UnavailableError
        This is no page.
    """

    def __init__(self) -> None:
        try:
            import remotemedia_host  # noqa: F401 - the page's worker has it
        except ImportError:
            raise UnavailableError("there are no Web Workers outside of a page") from None

    def create(self, node: GraphNode) -> Node:
        """There is no node by itself.

        Raises
        ------
        UnavailableError
            Always: a session asks for its parts.
        """
        raise UnavailableError("nodes of the executor 'worker' run in a session only")

    def parts(self, around: Surroundings) -> Crew:
        """All workers of a session."""
        from remotemedia_wasm.workers.launch import PageWorker, to_bytes

        return Crew(around, PageWorker, to_bytes)

    def warnings(self, node: GraphNode) -> Iterator[tuple[tuple[str, ...], str]]:
        """What means nothing in a page."""
        options = node.spec.process
        if options is not None and options.threads != 1:
            yield (
                ("process", "threads"),
                "threads has no effect here: a worker of a page is one thread",
            )

"""Pipeline: the public way in. A manifest, or built by hand; run over a finite input, or live."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Self

import msgspec

from remotemedia.clock import Clock
from remotemedia.data import Data, Packet
from remotemedia.errors import ManifestError, Problem, UnavailableError, nearest
from remotemedia.executors import HERE, WarningExecutor, find_executor, in_parts
from remotemedia.graph import Graph
from remotemedia.graph import load as load_graph
from remotemedia.manifest import Connection, Manifest, NodeSpec, Policy, Queue
from remotemedia.manifest.document import Source
from remotemedia.manifest.model import AUTO
from remotemedia.manifest.policy_effects import policy_warnings
from remotemedia.negotiation import converters_for, negotiate
from remotemedia.negotiation.handing_on import passing_through
from remotemedia.plan import Plan, compile_plan

if TYPE_CHECKING:
    from remotemedia.session.budget import CatchUpKind
    from remotemedia.session.drift import StreamLimits
    from remotemedia.session.run import OnError, Run
    from remotemedia.session.session import Session


class Pipeline:
    """A pipeline: nodes and connections, checked when they are complete.

    Parameters
    ----------
    manifest : Manifest, optional
        Start from this one; by default empty, to be filled with `add` and `connect`.

    Examples
    --------
    ::

        p = Pipeline()
        p.add("AudioResample", id="to16k", target_rate=16000)
        p.add("EnergyVAD", id="vad")
        p.connect("to16k", "vad:in")
        for packet in p.run([Audio(samples, 48000)]):
            ...
    """

    def __init__(self, manifest: Manifest | None = None) -> None:
        self._manifest = manifest if manifest is not None else Manifest()
        self._graph: Graph | None = None
        self._resolved: Pipeline | None = None

    @classmethod
    def load(cls, source: Source, *, name: str | None = None) -> Self:
        """Load a manifest: a path, a dict, or YAML or JSON text.

        Raises
        ------
        ManifestError
            Lists every problem, each with line and column.
        """
        manifest, graph = load_graph(source, name=name)
        pipeline = cls(manifest)
        pipeline._graph = graph
        return pipeline

    # -- building ----------------------------------------------------------------------------

    def add(
        self,
        node_type: str,
        id: str | None = None,  # noqa: A002 - the manifest's word
        *,
        executor: str = AUTO,
        backend: str | None = None,
        is_output_node: bool = False,
        policy: Policy | None = None,
        **params: object,
    ) -> str:
        """Add a node.

        Parameters
        ----------
        node_type : str
            Its type; see ``remotemedia nodes``.
        id : str, optional
            Its id; by default the type in lower case, numbered if it is taken.
        executor, backend, is_output_node
            As in the manifest.
        **params
            Its parameters.

        Returns
        -------
        str
            The id.
        """
        name = id or self._free_id(node_type.lower())
        spec = NodeSpec(
            id=name,
            node_type=node_type,
            params=params,
            executor=executor,
            backend=backend,
            is_output_node=is_output_node,
            policy=policy,
        )
        self._change(nodes=(*self._manifest.nodes, spec))
        return name

    def connect(self, source: str, target: str, *, queue: Queue | None = None) -> Self:
        """Connect ``"node"`` or ``"node:port"`` to another; gives the pipeline back, to chain."""
        connection = Connection(source=source, target=target, queue=queue)
        return self._change(connections=(*self._manifest.connections, connection))

    def remove(self, node_id: str) -> Self:
        """Take a node out, and its connections."""
        self._index(node_id)
        return self._change(
            nodes=tuple(node for node in self._manifest.nodes if node.id != node_id),
            connections=tuple(
                each
                for each in self._manifest.connections
                if node_id not in (each.source_node, each.target_node)
            ),
        )

    def disconnect(self, source: str, target: str) -> Self:
        """Take the connection out between ``"node"`` or ``"node:port"`` and another.

        Raises
        ------
        ManifestError
            There is none.
        """
        left = tuple(
            each
            for each in self._manifest.connections
            if not (_is_end(each.source, source) and _is_end(each.target, target))
        )
        if len(left) == len(self._manifest.connections):
            raise ManifestError([Problem(f"there is no connection from {source} to {target}")])
        return self._change(connections=left)

    def replace(self, node_id: str, node_type: str, **params: object) -> Self:
        """Put another node in the place of one; its connections stay."""
        index = self._index(node_id)
        old = self._manifest.nodes[index]
        new = msgspec.structs.replace(old, node_type=node_type, params=params)
        nodes = (*self._manifest.nodes[:index], new, *self._manifest.nodes[index + 1 :])
        return self._change(nodes=nodes)

    def set_params(self, node_id: str, **params: object) -> Self:
        """Change some parameters of a node."""
        old = self._manifest.nodes[self._index(node_id)]
        return self.replace(node_id, old.node_type, **{**old.params, **params})

    def copy(self) -> Pipeline:
        """Another pipeline with the same nodes and connections."""
        return Pipeline(self._manifest)

    def _index(self, node_id: str) -> int:
        for index, node in enumerate(self._manifest.nodes):
            if node.id == node_id:
                return index
        known = [node.id for node in self._manifest.nodes]
        hint = nearest(node_id, known) or f" (nodes: {', '.join(known)})"
        raise ManifestError([Problem(f"there is no node {node_id!r}{hint}")])

    def _free_id(self, base: str) -> str:
        taken = {node.id for node in self._manifest.nodes}
        numbers = (f"{base}-{number}" for number in range(2, len(taken) + 3))
        return next(name for name in (base, *numbers) if name not in taken)

    def _change(self, **changes: object) -> Self:
        self._manifest = msgspec.structs.replace(self._manifest, **changes)
        self._graph = self._resolved = None
        return self

    # -- looking -----------------------------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """The manifest."""
        return self._manifest

    @property
    def graph(self) -> Graph:
        """The validated graph.

        Raises
        ------
        ManifestError
            Lists every problem.
        """
        if self._graph is None:
            self._graph = Graph.build(self._manifest)
        return self._graph

    def with_converters(self) -> Pipeline:
        """The pipeline with the cheapest converters where formats do not fit.

        Itself if all fit. What no converter can mend stays as it is: `validate` and `plan` tell.
        Manifests ask for it by ``metadata: {auto_negotiate: true}``; then `plan` does it.

        Raises
        ------
        NegotiationLimitError
            So many alternatives that no answer was found within the bound.
        """
        from remotemedia.negotiation.apply import with_converters

        insertions = converters_for(self.graph)
        return Pipeline(with_converters(self._manifest, insertions)) if insertions else self

    @property
    def resolved(self) -> Pipeline:
        """What is run: this pipeline, with converters if its metadata has `auto_negotiate`."""
        if not self._manifest.metadata.auto_negotiate:
            return self
        if self._resolved is None:
            self._resolved = self.with_converters()
        return self._resolved

    def validate(self) -> tuple[Problem, ...]:
        """Check everything that can be checked without running; gives the warnings.

        That an executor is not on this host is a warning: the manifest may be meant for another.

        Raises
        ------
        ManifestError
            Lists every problem, formats that do not fit included.
        """
        formats = negotiate(self.graph)
        problems = formats.problems
        if problems and self._manifest.metadata.auto_negotiate:
            left = negotiate(self.resolved.graph).problems
            messages = {problem.message for problem in left}
            problems = tuple(each for each in problems if each.message in messages) or tuple(
                Problem(problem.message, ("connections",)) for problem in left
            )
        problems = problems or tuple(passing_through(self.graph, formats)[0])
        if problems:
            raise ManifestError(self._manifest.locate(problems), self._manifest.source)
        more = [*policy_warnings(self.graph), *self._executor_warnings()]
        return (*self._manifest.warnings, *self._manifest.locate(more))

    def _executor_warnings(self) -> Iterator[Problem]:
        for node in self.graph.nodes.values():
            try:
                executor = find_executor(node.executor)
            except UnavailableError as error:
                if node.spec.executor == AUTO:
                    continue
                yield Problem(f"does not run here: {error}", ("nodes", node.index, "executor"))
                continue
            if isinstance(executor, WarningExecutor):
                for path, message in executor.warnings(node):
                    yield Problem(message, ("nodes", node.index, *path), at_key=True)

    def plan(self) -> Plan:
        """Negotiate formats, insert converters if the manifest says so, and place the nodes.

        Raises
        ------
        CapsMismatchError
            Edges whose ends share no format.
        UnavailableError
            An executor that is not here.
        """
        auto = self._manifest.metadata.auto_negotiate
        return compile_plan(
            self.resolved.graph, auto=auto, in_parts=in_parts, by_default=HERE == "process"
        )

    def to_dict(self) -> dict[str, object]:
        """The manifest as plain data; loads again."""
        return self._manifest.to_dict()

    def to_yaml(self) -> str:
        """The manifest as YAML; loads again."""
        return self._manifest.to_yaml()

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flow chart, converters that are inserted included."""
        from remotemedia.diagram import mermaid

        return mermaid(self.resolved.graph)

    # -- running -----------------------------------------------------------------------------

    def run(
        self, inputs: Iterable[Data] = (), *, to: str | None = None, on_error: OnError = "raise"
    ) -> Run:
        """Run over a finite input, without an event loop; iterate over it for the packets.

        Nodes that would have a process only by default run in this one.

        Raises
        ------
        AsyncGraphError
            A node is async: use `arun`.
        """
        from remotemedia.session.run import Run

        auto = self._manifest.metadata.auto_negotiate
        plan = compile_plan(self.resolved.graph, auto=auto, in_parts=in_parts)
        return Run(plan, inputs, to=to, on_error=on_error)

    async def arun(
        self,
        inputs: Iterable[Data] | AsyncIterable[Data] = (),
        *,
        to: str | None = None,
        on_error: OnError = "raise",
        clock: Clock | None = None,
    ) -> AsyncIterator[Packet]:
        """Run over a finite input, from a coroutine; any graph."""
        async with self.session(clock=clock) as session:
            if on_error == "raise":
                session.fail_on_error()
            async with aclosing(session.stream(inputs, to)) as packets:
                async for packet in packets:
                    yield packet

    def session(
        self,
        *,
        clock: Clock | None = None,
        close_timeout_ms: int = 2_000,
        policy: Policy | None = None,
        max_latency_ms: float | None = None,
        catch_up: CatchUpKind = "drop",
        health: bool | StreamLimits = False,
        eager: bool = False,
    ) -> Session:
        """A live session, to be used with ``async with``; see `Session` for the options."""
        from remotemedia.session.session import Session

        return Session(
            self.plan(),
            clock=clock,
            close_timeout_ms=close_timeout_ms,
            policy=policy,
            max_latency_ms=max_latency_ms,
            catch_up=catch_up,
            pipeline=self,
            health=health,
            eager=eager,
        )


def _is_end(end: str, given: str) -> bool:
    """Whether ``"node"`` or ``"node:port"`` names this end of a connection."""
    return given in (end, end.partition(":")[0])

"""StreamingModelNode: a `ModelNode` whose outputs leave one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from remotemedia.node import Output
from remotemedia.nodes.models.model_node import IN_A_PAGE, ModelNode, Outputs

Stream: TypeAlias = Generator[Any, Any, Any]
"""Yields runs of a model, and is sent the outputs of each; and, in between, outputs of the node."""


class StreamingModelNode(ModelNode):
    """A `ModelNode` for which one input means much work.

    `work` and `tail` yield the runs that they want, plain tuples of a model and its feeds, and
    anything else that they yield is an output, which leaves before the next run is made.
    """

    def work(self, data: Any) -> Stream:
        """One input → runs and outputs."""
        raise NotImplementedError(f"{type(self).__name__} has no work()")

    def tail(self) -> Stream:
        """End of input → runs and outputs."""
        return
        yield  # a generator

    if not TYPE_CHECKING and IN_A_PAGE:

        async def process(self, data: Any) -> AsyncIterator[Output]:
            """What comes of one input, one by one."""
            async for output in self._adrive(self.work(data)):
                yield output

        async def finish(self) -> AsyncIterator[Output]:
            """The tail, one by one."""
            async for output in self._adrive(self.tail()):
                yield output

        async def _adrive(self, stream: Stream) -> AsyncIterator[Output]:
            outputs: Outputs | None = None
            while True:
                try:
                    wanted = stream.send(outputs)
                except StopIteration:
                    return
                outputs = None
                if type(wanted) is tuple:  # an Emit is a kind of one
                    model, feeds = wanted
                    outputs = await model.arun(feeds)
                else:
                    yield wanted

    else:

        def process(self, data: Any) -> Iterator[Output]:
            """What comes of one input, one by one."""
            return self._stream(self.work(data))

        def finish(self) -> Iterator[Output]:
            """The tail, one by one."""
            return self._stream(self.tail())

        def _stream(self, stream: Stream) -> Iterator[Output]:
            outputs: Outputs | None = None
            while True:
                try:
                    wanted = stream.send(outputs)
                except StopIteration:
                    return
                outputs = None
                if type(wanted) is tuple:  # an Emit is a kind of one
                    model, feeds = wanted
                    outputs = model.run(feeds)
                else:
                    yield wanted

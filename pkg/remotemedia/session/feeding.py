"""Feeding: a source into a session, while its outputs are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import TYPE_CHECKING

from remotemedia.data import Data, Packet
from remotemedia.errors import SessionError

if TYPE_CHECKING:
    from remotemedia.session.session import Session


async def stream(
    session: Session, source: Iterable[Data] | AsyncIterable[Data], to: str | None
) -> AsyncGenerator[Packet]:
    """See `Session.stream`."""
    feeder = asyncio.get_running_loop().create_task(_feed(session, source, to))
    try:
        async for packet in session.outputs():
            yield packet
        await feeder
    finally:
        feeder.cancel()
        await asyncio.wait([feeder])


async def _feed(
    session: Session, source: Iterable[Data] | AsyncIterable[Data], to: str | None
) -> None:
    client = session.router.client
    try:
        if isinstance(source, AsyncIterable):
            async for data in source:
                await session.send(data, to)
        else:
            for data in source:
                await session.send(data, to)
        await session.finish()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        failed = SessionError("the source of the stream was cancelled")
        failed.__cause__ = error
        client.fail(failed)
    except BaseException as error:
        client.fail(error)

"""Runs every built-in node and every example; with ``--outputs FILE`` keeps what they give out.

`compare.py` then compares the file of one world with that of the other. A frame's session names
what was run: ``AudioResample: gaps/0`` is a case of cases.py and its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import pytest

from remotemedia import Data, Packet, Pipeline, wire
from remotemedia.errors import AsyncGraphError
from remotemedia.registry import Registry, default_registry
from remotemedia.wav import WavDecoder
from worlds.cases import CASES, NEED_A_RUNTIME, Case
from worlds.signals import blocks, held, speech

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted(REPOSITORY.glob("examples/*/pipeline.yaml"))
SPEECH_FRAMES = 99_200  # 12.4 s

Keep = Callable[[str, Iterable[Packet]], int]


@pytest.fixture(scope="session")
def keep(request: pytest.FixtureRequest) -> Iterator[Keep]:
    """Writes packets to the file, and counts them."""
    path: Path | None = request.config.getoption("--outputs")
    file = path.open("wb") if path is not None else None

    def write(session: str, packets: Iterable[Packet]) -> int:
        count = 0
        for packet in packets:
            # When a packet entered is the one thing that two runs may not have in common.
            frame = wire.encode(msgspec.structs.replace(packet, timestamp_us=0), session)
            if file is not None:
                file.write(frame)
            count += 1
        return count

    yield write
    if file is not None:
        file.close()


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    return range(request.config.getoption("--seeds"))


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_node(case: Case, keep: Keep, seeds: range) -> None:
    for seed in seeds:
        node = {"id": "node", "node_type": case.node_type, "params": case.params}
        pipeline = Pipeline.load({"version": "v1", "nodes": [node]})
        assert keep(f"{case}/{seed}", await outputs(pipeline, list(case.inputs(seed)))) > 0


async def outputs(pipeline: Pipeline, inputs: list[Data]) -> list[Packet]:
    """What comes out; in a page nodes that compute with models are async."""
    try:
        return list(pipeline.run(inputs))
    except AsyncGraphError:
        return [packet async for packet in pipeline.arun(inputs)]


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda path: path.parent.name)
def test_example(manifest: Path, keep: Keep, seeds: range, request: pytest.FixtureRequest) -> None:
    name = manifest.parent.relative_to(REPOSITORY).as_posix()
    files: list[Path] = request.config.getoption("--recording")
    for recording, inputs in chain(committed(seeds), map(read, files)):
        assert keep(f"{name}: {recording}", Pipeline.load(manifest).run(inputs)) > 0


def test_every_built_in_node_and_parameter_has_a_case() -> None:
    registry = default_registry()
    given: dict[str, set[str]] = {}
    for case in CASES:
        given.setdefault(case.node_type, set()).update(case.params)
    assert given == {
        name: set(registry.find(name).Params.__struct_fields__) for name in built_in(registry)
    }


def built_in(registry: Registry) -> list[str]:
    return [
        name
        for name in registry.names()
        if registry.info(name).origin == "built-in" and name not in NEED_A_RUNTIME
    ]


def committed(seeds: Iterable[int]) -> Iterator[tuple[str, Iterable[Data]]]:
    """The speech of the golden vectors, as it is and as a microphone would deliver it."""
    for seed in seeds:
        yield f"8 kHz mono/{seed}", blocks(speech(seed, 1, SPEECH_FRAMES), 8_000)
        stereo = held(speech, 6)(seed, 2, 6 * SPEECH_FRAMES)
        yield f"48 kHz stereo/{seed}", blocks(stereo, 48_000, sizes=[960])


def read(file: Path) -> tuple[str, Iterable[Data]]:
    wav = WavDecoder()
    samples = np.concatenate([*wav.feed(file.read_bytes()), *wav.finish()], axis=1)
    assert wav.info is not None
    return file.name, blocks(samples, wav.info.sample_rate, sizes=[960])

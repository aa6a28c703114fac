"""A node gives the same in a process of its own as inline, to the byte."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import remotemedia as rm
from native.parts import part_nodes  # noqa: F401 - registers its nodes
from remotemedia import wire
from remotemedia.data import Packet
from remotemedia.session.boundary import Boundary
from remotemedia_native.process.crossing import Crossing
from worlds.cases import CASES, Case

RETRACTING = ("SpeculativeVADGate",)
"""Send messages that take back what waits: how much that is, depends on how fast it is read."""
TYPES = sorted({case.node_type for case in CASES})


def bare(packet: Packet, sequence: int) -> bytes:
    """Its bytes, but when it entered, and the number that depends on what else was sent."""
    return wire.encode(msgspec.structs.replace(packet, timestamp_us=0, sequence=sequence))


def is_waiting(queue: Boundary) -> bool:
    return bool(queue.under_way if isinstance(queue, Crossing) else queue.packets)


def data_of(packet: Packet) -> bytes:
    """The bytes of its data."""
    return bare(msgspec.structs.replace(packet, sub_sequence=0), 0)


def whole(packet: Packet) -> bytes:
    """Its bytes, with its place in the stream."""
    return bare(packet, packet.sequence)


async def run(
    pipeline: rm.Pipeline,
    inputs: list[tuple[str, rm.Data]],
    form: Callable[[Packet], bytes] = whole,
    retracted: dict[str, int] | None = None,
) -> dict[str, list[bytes]]:
    """What comes out of each port; and how much of it was taken back."""
    # What stands ahead of what waits depends on what waits.
    one_by_one = any(isinstance(data, rm.Control) for _, data in inputs)
    found: dict[str, list[bytes]] = defaultdict(list)

    async def read(session: rm.Session) -> None:
        async for packet in session.outputs():
            ahead = "!" if isinstance(packet.data, rm.Control) else ""  # has an order of its own
            found[f"{packet.node}:{packet.port}{ahead}"].append(form(packet))

    async with pipeline.session() as session:
        reading = asyncio.create_task(read(session))
        for to, data in inputs:
            place = to if ":" in to else port_for(session, to, data)
            await session.send(data, to=place)
            if one_by_one:
                node, _, port = place.partition(":")
                while is_waiting(session.router.entry(node, port)):
                    await asyncio.sleep(0)
        await session.finish()
        await reading
        for edge in session.metrics().edges:
            assert edge.in_flight == 0, edge
            assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge
            if retracted is not None and edge.target == "client":
                retracted[edge.source] = edge.dropped.get("speculation", 0)
    return dict(found)


def text_of(frame: bytes) -> str:
    _, _, packet = wire.decode(frame)
    assert isinstance(packet, Packet)
    assert isinstance(packet.data, rm.Text)
    return packet.data.text


def port_for(session: rm.Session, node: str, data: rm.Data) -> str:
    """The port of a node that takes this."""
    for port in session.plan.graph.nodes[node].inputs:
        try:
            session.accepting(data, f"{node}:{port}")
        except rm.RemoteMediaError:
            continue
        return f"{node}:{port}"
    raise AssertionError(f"{node} does not take {data}")


def of_cases(cases: Iterable[Case], **node: object) -> rm.Pipeline:
    return rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [
                {"id": f"n{i}", "node_type": case.node_type, "params": case.params, **node}
                for i, case in enumerate(cases)
            ],
        }
    )


def is_told(node_type: str) -> bool:
    """Whether some case of it has control messages, which take more care and time."""
    cases = [case for case in CASES if case.node_type == node_type]
    return any(isinstance(data, rm.Control) for case in cases for data in case.inputs(0))


TOLD = [node_type for node_type in TYPES if is_told(node_type)]
PLAIN = [node_type for node_type in TYPES if node_type not in TOLD]


@pytest.mark.parametrize(
    "types", [PLAIN[0::2], PLAIN[1::2], *([each] for each in TOLD)], ids=", ".join
)
def test_every_node(types: list[str]) -> None:
    cases = [case for case in CASES if case.node_type in types]
    given_ = [[(f"n{i}", data) for data in case.inputs(0)] for i, case in enumerate(cases)]
    inputs = list(itertools.chain.from_iterable(given_))
    inline = asyncio.run(run(of_cases(cases), inputs))
    apart = asyncio.run(run(of_cases(cases, executor="process", process_group="all"), inputs))
    assert inline.keys() == apart.keys()
    for number, case in enumerate(cases):
        ports = [port for port in inline if port.startswith(f"n{number}:")]
        for port in ports:
            if case.node_type not in RETRACTING:
                assert apart[port] == inline[port], (str(case), port)
    assert sum(map(len, inline.values())) > 5


@pytest.mark.parametrize("case", [c for c in CASES if c.node_type in RETRACTING], ids=str)
def test_what_is_taken_back(case: Case) -> None:
    """What waits for the client may be taken back; the rest comes, in its order."""
    everything: dict[str, list[bytes]] = defaultdict(list)
    inputs = list(case.inputs(0))
    for packet in of_cases([case]).run(inputs):
        ahead = "!" if isinstance(packet.data, rm.Control) else ""
        everything[f"{packet.node}:{packet.port}{ahead}"].append(data_of(packet))
    lost: dict[str, int] = {}
    apart = asyncio.run(
        run(of_cases([case], executor="process"), [("n0", data) for data in inputs], data_of, lost)
    )
    for port, packets in everything.items():
        rest = iter(packets)
        assert all(packet in rest for packet in apart.get(port, [])), "order"
        assert len(packets) == len(apart.get(port, [])) + lost.get(port, 0), port


KINDS = ["TestTwice", "TestLater", "TestTail", "TestLoud"]
PLACES = ["inline", "own", "a", "b"]


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[dict[str, object]], list[dict[str, str]], list[str]]:
    """Nodes, each with one node in front of it; connections; and where each is to run."""
    count = draw(st.integers(2, 7))
    nodes: list[dict[str, object]] = []
    edges: list[dict[str, str]] = []
    for number in range(count):
        nodes.append({"id": f"n{number}", "node_type": draw(st.sampled_from(KINDS))})
        if number and draw(st.integers(0, 5)):
            edge = {"from": f"n{draw(st.integers(0, number - 1))}", "to": f"n{number}"}
            if not draw(st.integers(0, 3)):
                edge["queue"] = {"capacity": draw(st.integers(1, 4))}  # type: ignore[assignment]
            edges.append(edge)
    places = [draw(st.sampled_from(PLACES)) for _ in nodes]
    return nodes, edges, places


def placed(node: dict[str, object], place: str) -> dict[str, object]:
    if place == "inline":
        return node
    if place == "own":
        return {**node, "executor": "process"}
    return {**node, "executor": "process", "process_group": place}


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(trees())
def test_random_graphs_placed_at_random(
    tree: tuple[list[dict[str, object]], list[dict[str, str]], list[str]],
) -> None:
    nodes, edges, places = tree
    texts = [rm.Text(str(number)) for number in range(12)]
    roots = [str(n["id"]) for n in nodes if n["id"] not in {edge["to"] for edge in edges}]
    inputs = [(root, text) for text in texts for root in roots]

    def pipeline(where: list[str]) -> rm.Pipeline:
        return rm.Pipeline.load(
            {
                "version": "v1",
                "nodes": [placed(node, place) for node, place in zip(nodes, where, strict=True)],
                "connections": edges,
            }
        )

    inline = asyncio.run(run(pipeline(["inline"] * len(nodes)), inputs))
    apart = asyncio.run(run(pipeline(places), inputs))
    assert apart == inline


def test_several_inputs_and_outputs() -> None:
    def pipeline(executor: str) -> rm.Pipeline:
        return rm.Pipeline.load(
            {
                "version": "v1",
                "nodes": [
                    {"id": "two", "node_type": "TestTwoPorts", "executor": executor},
                    {"id": "e", "node_type": "TestTail", "executor": executor},
                    {"id": "o", "node_type": "TestTail"},
                ],
                "connections": [
                    {"from": "two:even", "to": "e"},
                    {"from": "two:odd", "to": "o"},
                ],
            }
        )

    inputs = [
        (f"two:{port}", rm.Text("x" * length))
        for length in range(6)
        for port in ("first", "second")
    ]
    apart, inline = (
        asyncio.run(run(pipeline(executor), inputs)) for executor in ("process", "inline")
    )
    # A tail stems from the last packet that came to its island, and these are others.
    tails = [packets.pop() for found in (apart, inline) for packets in found.values()]
    assert apart == inline
    assert [text_of(tail) for tail in tails] == ["6 in all", "6 in all"] * 2

"""Interrupts from the page: which speakers fall silent, and that nothing older comes after them."""

from __future__ import annotations

import numpy as np

import remotemedia as rm
from page_ends import Page, Writer, frame, idle, ramp, running
from remotemedia import protocol
from remotemedia_wasm import messages as page

FORK = {
    "version": "v1",
    "nodes": [{"id": name, "node_type": "PassThrough"} for name in ("in", "left", "right")],
    "connections": [{"from": "in", "to": "left"}, {"from": "in", "to": "right"}],
}


def block(number: int, frames: int = 480) -> rm.Audio:
    return rm.Audio(np.full((1, frames), number / 128, np.float32), 48_000)


def numbers(writer: Writer) -> list[float]:
    """What was played, in blocks."""
    return [float(played[0, 0]) * 128 for played in writer.played]


async def forked() -> tuple[Page, Writer, Writer]:
    page_ = await running(FORK)
    left, right = Writer(1, 48_000, 1 << 20), Writer(1, 48_000, 1 << 20)
    await page_.did(page.AttachWriter, left, connection="l", from_="left")
    await page_.did(page.AttachWriter, right, connection="r", from_="right")
    return page_, left, right


async def test_an_interrupt_of_a_part_clears_the_speakers_behind_it_only() -> None:
    page_, left, right = await forked()
    await page_.did(protocol.Send, frame(block(1)))
    result = await page_.did(protocol.Interrupt, from_="left")
    assert result == {"generation": 1, "nodes": ["left"]}
    assert (left.filled, right.filled) == (0, 480)
    result = await page_.did(protocol.Interrupt, from_="in")
    assert result == {"generation": 2, "nodes": ["in", "left", "right"]}
    assert right.filled == 0


async def test_packets_of_other_outlets_stay() -> None:
    page_ = await running(FORK)
    await page_.did(protocol.Send, frame(rm.Text("old")))
    await page_.did(protocol.Interrupt, from_="left")
    await page_.did(protocol.Send, frame(rm.Text("new")))
    await page_.did(protocol.Read, packets=9)
    got = sorted((packet.node, packet.data.text) for packet in page_.packets)
    assert got == [("left", "new"), ("right", "new"), ("right", "old")]


async def test_the_fade_is_told_to_the_speaker_in_its_own_frames() -> None:
    page_ = await running(FORK)
    writer = Writer(1, 44_100, 1 << 20)
    await page_.did(page.AttachWriter, writer, connection="l", from_="left")
    await page_.did(protocol.Interrupt, fade_ms=30)
    await page_.did(protocol.Interrupt)
    assert writer.fades == [1_323, 0]


async def test_nothing_of_a_packet_that_waited_for_the_speaker_comes_after_an_interrupt() -> None:
    page_ = await running(FORK)
    await page_.did(protocol.Read, packets=100)
    writer = Writer(1, 48_000, 480)
    await page_.did(page.AttachWriter, writer, connection="l", from_="left")
    for number in (1, 2, 3):
        await page_.did(protocol.Send, frame(block(number)))
    assert numbers(writer) == [1]  # the second waits for room, in the hands of the pump
    seen = len(page_.packets)
    await page_.did(protocol.Interrupt)
    await page_.did(protocol.Send, frame(block(4)))
    writer.drain()
    await idle()
    assert numbers(writer) == [1, 4]
    assert {packet.generation for packet in page_.packets[seen:]} == {1}


async def test_the_rest_of_a_long_block_is_not_played_after_an_interrupt() -> None:
    page_ = await running(FORK)
    writer = Writer(1, 48_000, 1_000)
    await page_.did(page.AttachWriter, writer, connection="l", from_="left")
    await page_.did(protocol.Send, frame(block(1, 4_800)))
    assert len(writer.played) == 2
    await page_.did(protocol.Interrupt, from_="left")
    writer.drain()
    await idle()
    assert len(writer.played) == 2


async def test_a_resampled_block_is_not_played_after_an_interrupt() -> None:
    page_ = await running(FORK)
    writer = Writer(1, 48_000, 480)
    await page_.did(page.AttachWriter, writer, connection="l", from_="left")
    for _ in range(5):
        await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 160), 16_000)))
    played = len(writer.played)
    await page_.did(protocol.Interrupt)
    writer.drain()
    await idle()
    assert len(writer.played) == played


async def test_the_end_of_a_format_and_the_next_are_not_played_after_an_interrupt() -> None:
    page_ = await running(FORK)
    writer = Writer(1, 48_000, 480)
    await page_.did(page.AttachWriter, writer, connection="l", from_="left")
    await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 160), 16_000)))
    writer.filled = 480
    await page_.did(
        protocol.Send, frame(block(1))
    )  # the tail of the resampler waits in front of it
    played = len(writer.played)
    await page_.did(protocol.Interrupt)
    writer.drain()
    await idle()
    assert len(writer.played) == played


async def test_while_one_interrupt_waits_for_a_node_another_one_silences_its_speaker() -> None:
    source = (
        "import remotemedia as rm\n"
        "from remotemedia.session.unit import turn\n"
        "@rm.node('PageHeld')\n"
        "class Held(rm.Node):\n"
        "    input_caps = output_caps = 'text'\n"
        "    async def process(self, text):\n"
        "        try:\n"
        "            for _ in range(100_000): await turn()\n"
        "        finally:\n"
        "            for _ in range(1_000): await turn()\n"
        "        return text\n"
    )
    manifest = {
        "version": "v1",
        "nodes": [
            {"id": "held", "node_type": "PageHeld"},
            {"id": "heard", "node_type": "PassThrough"},
        ],
    }
    page_ = await running(manifest, source=source)
    writer = Writer(1, 48_000, 1 << 20)
    await page_.did(page.AttachWriter, writer, connection="s", from_="heard")
    await page_.did(protocol.Send, frame(block(1)), to="heard")
    await page_.did(protocol.Send, frame(rm.Text("x")), to="held")
    asked = [page_.post(protocol.Interrupt, from_=node) for node in ("held", "heard", "held")]
    await idle()
    assert [page_.answered(number) for number in asked] == [None, None, None]
    assert writer.filled == 0
    while page_.answered(asked[-1]) is None:
        await idle()
    assert [page_.answered(number).result for number in asked] == [
        {"generation": 1, "nodes": ["held"]},
        {"generation": 2, "nodes": ["heard"]},
        {"generation": 3, "nodes": ["held"]},
    ]


async def test_an_interrupt_that_is_wrong_is_refused() -> None:
    page_ = await running(FORK)
    error = await page_.refused(protocol.Interrupt, from_="lfet")
    assert "did you mean 'left'" in error.message
    error = await page_.refused(protocol.Interrupt, fade_ms=-1)
    assert error.code == "params"
    assert "$.fadeMs" in error.message

"""Spans of a session, in the exporter of OpenTelemetry's own SDK, under a virtual clock."""

from __future__ import annotations

import builtins

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import UnavailableError
from remotemedia.testing import VirtualClock
from remotemedia_native.telemetry import Spans

MS = 1_000


class Recorded:
    """A tracer, and the spans that ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    @property
    def sends(self) -> list[ReadableSpan]:
        return self.named("remotemedia.send")

    @property
    def outputs(self) -> list[ReadableSpan]:
        return self.named("remotemedia.output")


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def packet(clock: VirtualClock, node: str, sequence: int, sub: int = 0, **more: int) -> rm.Packet:
    sent_us = more.pop("sent_us", clock.wall_us())
    data = rm.Text("x", pts_us=5)
    return rm.Packet(data, node, "in", sequence, sub, sent_us, more.pop("generation", 0))


def attributes(span: ReadableSpan) -> dict[str, object]:
    return {key.removeprefix("remotemedia."): said for key, said in (span.attributes or {}).items()}


async def test_a_send_and_its_outputs(clock: VirtualClock, recorded: Recorded) -> None:
    spans = Spans(clock, recorded.tracer)
    sent_us = clock.wall_us()
    spans.sent([packet(clock, "vad", 7), packet(clock, "tee", 7)])
    await sleep(clock, 20 * MS)
    spans.received(packet(clock, "z", 7, sent_us=sent_us))
    await sleep(clock, 30 * MS)
    spans.received(packet(clock, "z", 7, 1, sent_us=sent_us))
    await sleep(clock, 500 * MS)
    assert recorded.sends == []  # more could come
    spans.close()
    (send,) = recorded.sends
    assert attributes(send) == {"sequence": 7, "generation": 0, "data": "Text", "pts_us": 5}
    assert send.start_time == sent_us * 1000
    assert send.end_time == (sent_us + 50 * MS) * 1000
    assert [(event.name, dict(event.attributes or {})) for event in send.events] == [
        ("enter", {"remotemedia.port": "vad:in"}),
        ("enter", {"remotemedia.port": "tee:in"}),
    ]
    assert {event.timestamp for event in send.events} == {sent_us * 1000}
    first, second = recorded.outputs
    for output, late_ms, number in ((first, 20, 0), (second, 50, 1)):
        assert output.parent is not None
        assert send.context is not None
        assert output.parent.span_id == send.context.span_id
        assert output.start_time == sent_us * 1000
        assert output.end_time == (sent_us + late_ms * MS) * 1000
        expected = {"port": "z:in", "sub_sequence": number, "data": "Text", "pts_us": 5}
        assert attributes(output) == expected


async def test_the_caller_is_the_parent(clock: VirtualClock, recorded: Recorded) -> None:
    spans = Spans(clock, recorded.tracer)
    with recorded.tracer.start_as_current_span("request") as request:
        spans.sent([packet(clock, "a", 0)])
    spans.close()
    (send,) = recorded.sends
    assert send.parent is not None
    assert send.parent.span_id == request.get_span_context().span_id


async def test_so_many_are_open_and_no_more(clock: VirtualClock, recorded: Recorded) -> None:
    spans = Spans(clock, recorded.tracer, open_sends=3)
    for sequence in range(5):
        spans.sent([packet(clock, "a", sequence)])
    assert [attributes(span)["sequence"] for span in recorded.sends] == [0, 1]
    spans.received(packet(clock, "z", 1))
    assert (spans.late, recorded.outputs) == (1, [])
    spans.received(packet(clock, "z", 4))
    assert (spans.late, len(recorded.outputs)) == (1, 1)
    spans.close()
    spans.close()
    assert [attributes(span)["sequence"] for span in recorded.sends] == [0, 1, 2, 3, 4]


async def test_an_interrupt_ends_what_is_in_flight(clock: VirtualClock, recorded: Recorded) -> None:
    spans = Spans(clock, recorded.tracer)
    sent_us = clock.wall_us()
    spans.sent([packet(clock, "a", 0)])
    await sleep(clock, 10 * MS)
    spans.interrupted(1, "tts")
    assert recorded.sends == []
    await sleep(clock, 10 * MS)
    spans.interrupted(2, None)
    (send,) = recorded.sends
    assert send.end_time == (sent_us + 20 * MS) * 1000
    assert [(event.name, dict(event.attributes or {})) for event in send.events[1:]] == [
        ("interrupt", {"remotemedia.generation": 1, "remotemedia.from_node": "tts"}),
        ("interrupt", {"remotemedia.generation": 2}),
    ]


async def test_a_tail_belongs_to_the_last_send(clock: VirtualClock, recorded: Recorded) -> None:
    spans = Spans(clock, recorded.tracer)
    sent = packet(clock, "a", 3)
    spans.sent([sent])
    spans.finished()
    await sleep(clock, 40 * MS)
    spans.received(packet(clock, "z", 3, sent_us=sent.timestamp_us))
    spans.close()
    (send,) = recorded.sends
    assert send.end_time == (sent.timestamp_us + 40 * MS) * 1000


async def test_what_stems_from_no_send(clock: VirtualClock, recorded: Recorded) -> None:
    spans = Spans(clock, recorded.tracer)
    spans.sent([packet(clock, "a", 0)])
    spans.received(packet(clock, "source", 0, sent_us=0))
    spans.close()
    assert (len(recorded.sends), recorded.outputs, spans.late) == (1, [], 0)


async def test_a_sampler_that_wants_nothing_gets_nothing(clock: VirtualClock) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(clock, provider.get_tracer("test"))
    spans.sent([packet(clock, "a", 0)])
    spans.received(packet(clock, "z", 0))
    spans.close()
    assert exporter.get_finished_spans() == ()


async def test_without_a_provider_it_costs_nothing_but_runs(clock: VirtualClock) -> None:
    spans = Spans(clock)
    spans.sent([packet(clock, "a", 0)])
    spans.received(packet(clock, "z", 0))
    spans.close()
    assert spans.late == 0


def test_a_missing_package_names_the_extra(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "opentelemetry":
            raise ImportError("No module named 'opentelemetry'")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnavailableError, match=r"pip install 'remotemedia\[telemetry\]'"):
        Spans(clock)

"""The text exposition, line by line after the format's specification (version 0.0.4)."""

import math
import re

import pytest

from remotemedia.errors import RemoteMediaError
from remotemedia.metrics import (
    EdgeMetrics,
    Latency,
    Metrics,
    NodeMetrics,
    SessionMetrics,
    StreamMetrics,
    Timing,
)
from remotemedia.metrics.prometheus import Exposition, to_prometheus

WINDOWS = {"1m": Latency(), "5m": Latency(1.0, 2.0, 3.0, 4.0, 2.0, 9), "15m": Latency()}
TIMING = Timing(1500.0, 2000.0, 3000.0, 4000.0, 1250.0, 8, WINDOWS)
STREAM = StreamMetrics("cam", 90, 2, 12.0, -0.3, -40.0, 40.0, 0.25, 520.0, 0.5, 9)
METRICS = Metrics(
    (NodeMetrics("vad", "EnergyVAD", 7, 1, TIMING),),
    (
        EdgeMetrics("client", "vad:in", 9, 4, {"drop_oldest": 2, "interrupt": 1}, 2, 5, TIMING),
        EdgeMetrics("vad:out", "z:in", 3, 3, {}, 0, 0, compressed_us=250_000),
    ),
    SessionMetrics(TIMING, Timing(windows=WINDOWS)),
    (STREAM,),
)

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")


def read(text):
    """(types, samples by name and labels) of an exposition; asserts its form."""
    assert not text or text.endswith("\n")
    types, helped, samples, family = {}, set(), {}, ""
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in helped, "all lines of a metric are together"
            helped.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            suffixes = ("", "_sum", "_count") if types[family] == "summary" else ("",)
            assert name in [family + suffix for suffix in suffixes], line
            found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
            key = (name, *sorted(found.items()))
            assert key not in samples, "a sample once"
            samples[key] = float(value)
    return types, samples


def value(samples, name, **labels):
    return samples[(name, *sorted(labels.items()))]


def test_counts_and_gauges():
    types, samples = read(to_prometheus(METRICS))
    node = {"node": "vad", "node_type": "EnergyVAD"}
    edge = {"source": "client", "target": "vad:in"}
    assert value(samples, "remotemedia_node_items_total", **node) == 7
    assert value(samples, "remotemedia_node_errors_total", **node) == 1
    assert value(samples, "remotemedia_edge_entered_total", **edge) == 9
    assert value(samples, "remotemedia_edge_delivered_total", **edge) == 4
    assert value(samples, "remotemedia_edge_dropped_total", **edge, reason="drop_oldest") == 2
    assert value(samples, "remotemedia_edge_dropped_total", **edge, reason="interrupt") == 1
    end = {"source": "vad:out", "target": "z:in"}
    assert value(samples, "remotemedia_edge_compressed_seconds_total", **end) == 0.25
    assert value(samples, "remotemedia_edge_depth", **edge) == 2
    assert value(samples, "remotemedia_edge_depth_max", **edge) == 5
    assert {types[name] for name in types if name.endswith("_total")} == {"counter"}
    assert types["remotemedia_edge_depth"] == "gauge"


def test_summaries_are_in_seconds():
    types, samples = read(to_prometheus(METRICS))
    node = {"node": "vad", "node_type": "EnergyVAD"}
    name = "remotemedia_node_latency_seconds"
    assert types[name] == "summary"
    assert value(samples, name, **node, quantile="0.5") == pytest.approx(0.0015)
    assert value(samples, name, **node, quantile="0.99") == pytest.approx(0.003)
    assert value(samples, name + "_sum", **node) == pytest.approx(8 * 0.00125)
    assert value(samples, name + "_count", **node) == 8
    name = "remotemedia_node_latency_window_seconds"
    assert types[name] == "gauge"
    assert value(samples, name, **node, window="5m", quantile="1") == pytest.approx(4e-6)
    assert math.isnan(value(samples, name, **node, window="1m", quantile="0.5"))
    assert value(samples, "remotemedia_session_end_to_end_seconds_count") == 8
    assert value(samples, "remotemedia_session_first_output_seconds_count") == 0
    assert math.isnan(value(samples, "remotemedia_session_first_output_seconds", quantile="0.5"))
    edge = {"source": "client", "target": "vad:in"}
    assert value(samples, "remotemedia_edge_wait_seconds_count", **edge) == 8
    assert ("remotemedia_edge_wait_seconds_count", ("source", "vad:out")) not in [
        key[:2] for key in samples
    ]


def test_streams():
    _, samples = read(to_prometheus(METRICS))
    shown = {
        key[0].removeprefix("remotemedia_stream_"): number
        for key, number in samples.items()
        if key[1:] == (("stream", "cam"),)
    }
    assert shown == pytest.approx(
        {
            "samples_total": 90,
            "discontinuities_total": 2,
            "lead_seconds": 0.012,
            "drift_ratio": -0.0003,
            "skew_seconds": -0.04,
            "interval_seconds": 0.04,
            "cadence_ratio": 0.25,
            "frozen_seconds": 0.52,
            "health": 0.5,
            "alerts": 9,
        }
    )


def test_labels_go_on_every_line_and_are_escaped():
    text = to_prometheus(METRICS, {"pipeline": 'a\\b"c\nd'})
    _, samples = read(text)
    assert all(("pipeline", 'a\\\\b\\"c\\nd') in key for key in samples)
    assert len(samples) == len(read(to_prometheus(METRICS))[1])


def test_several_sessions_in_one_exposition():
    scrape = Exposition()
    for name in ("one", "two"):
        scrape.add(METRICS, {"session": name})
    types, samples = read(scrape.text())
    alone = read(to_prometheus(METRICS))
    assert types == alone[0]
    assert len(samples) == 2 * len(alone[1])
    for name in ("one", "two"):
        assert value(samples, "remotemedia_session_end_to_end_seconds_count", session=name) == 8


def test_no_more_lines_for_more_items():
    more = Metrics(
        (NodeMetrics("vad", "EnergyVAD", 10**9, 10**6, TIMING),),
        METRICS.edges,
        METRICS.session,
        METRICS.streams,
    )
    assert read(to_prometheus(more))[1].keys() == read(to_prometheus(METRICS))[1].keys()
    assert read(to_prometheus(Metrics((), ()))) == ({}, {})


@pytest.mark.parametrize("name", ["", "a-b", "1a", "__name__", "ä", "node", "quantile", "a b"])
def test_labels_that_cannot_be(name):
    with pytest.raises(RemoteMediaError, match="label cannot be called"):
        to_prometheus(METRICS, {name: "x"})


def test_the_real_parser_reads_it():
    from prometheus_client.parser import text_string_to_metric_families

    text = to_prometheus(METRICS, {"pipeline": 'a\\b"c\nd'})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    _, own = read(text)
    samples = [sample for family in families.values() for sample in family.samples]
    assert len(samples) == len(own)
    assert {sample.labels["pipeline"] for sample in samples} == {'a\\b"c\nd'}
    assert families["remotemedia_node_items"].type == "counter"
    latency = families["remotemedia_node_latency_seconds"]
    assert latency.type == "summary"
    assert latency.documentation == "Duration of the node's calls."
    values = {sample.labels.get("quantile"): sample.value for sample in latency.samples}
    assert values["0.95"] == pytest.approx(0.002)
    dropped = families["remotemedia_edge_dropped"].samples
    assert {sample.labels["reason"]: sample.value for sample in dropped} == {
        "drop_oldest": 2,
        "interrupt": 1,
    }

"""The snapshot as plain data."""

import json

from remotemedia.metrics import (
    EdgeMetrics,
    Latency,
    Metrics,
    NodeMetrics,
    SessionMetrics,
    StreamMetrics,
    Timing,
)

TIMING = Timing(1.5, 2.0, 3.0, 4.0, 1.25, 3, {"1m": Latency(1.0, 1.0, 1.0, 1.0, 1.0, 1)})
TIMING_PLAIN = {
    "p50_us": 1.5,
    "p95_us": 2.0,
    "p99_us": 3.0,
    "max_us": 4.0,
    "mean_us": 1.25,
    "count": 3,
    "windows": {
        "1m": {
            "p50_us": 1.0,
            "p95_us": 1.0,
            "p99_us": 1.0,
            "max_us": 1.0,
            "mean_us": 1.0,
            "count": 1,
        }
    },
}


def test_to_dict_is_json():
    metrics = Metrics(
        nodes=(NodeMetrics("a", "Gain", 3, 1, TIMING, 2, 1, 0, "closed", {"late": 1}, "bypass"),),
        edges=(EdgeMetrics("client", "a:in", 4, 2, {"drop_oldest": 1}, 1, 2, TIMING),),
        session=SessionMetrics(TIMING, TIMING),
        streams=(StreamMetrics("mic", 9, 1, 1.0, 0.5, None, 20.0, 0.1, 0.0, 0.9, 2),),
    )
    plain = json.loads(json.dumps(metrics.to_dict()))
    assert json.loads(metrics.to_json()) == plain
    assert plain == {
        "nodes": [
            {
                "node": "a",
                "node_type": "Gain",
                "count": 3,
                "errors": 1,
                "latency": TIMING_PLAIN,
                "retries": 2,
                "timeouts": 1,
                "refused": 0,
                "breaker": "closed",
                "dropped": {"late": 1},
                "state": "bypass",
            }
        ],
        "edges": [
            {
                "source": "client",
                "target": "a:in",
                "entered": 4,
                "delivered": 2,
                "dropped": {"drop_oldest": 1},
                "in_flight": 1,
                "max_depth": 2,
                "wait": TIMING_PLAIN,
                "compressed_us": 0,
            }
        ],
        "session": {"end_to_end": TIMING_PLAIN, "first_output": TIMING_PLAIN},
        "streams": [
            {
                "stream": "mic",
                "samples": 9,
                "discontinuities": 1,
                "lead_ms": 1.0,
                "slope_ms_per_s": 0.5,
                "skew_ms": None,
                "interval_ms": 20.0,
                "cadence": 0.1,
                "frozen_ms": 0.0,
                "health": 0.9,
                "alerts": 2,
            }
        ],
    }


def test_what_a_run_has_not_is_null():
    plain = json.loads(Metrics((), (EdgeMetrics("a:out", "b:in", 1, 1, {}, 0, 0),)).to_json())
    assert plain["session"] is None
    assert plain["edges"][0]["wait"] is None
    assert plain["streams"] == []

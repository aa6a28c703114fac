"""The snapshot as plain data."""

import json

from remotemedia.metrics import EdgeMetrics, Latency, Metrics, NodeMetrics


def test_to_dict_is_json():
    metrics = Metrics(
        nodes=(NodeMetrics("a", "Gain", 3, 1, Latency(1.5, 2.0, 3.0, 4.0)),),
        edges=(EdgeMetrics("client", "a:in", 4, 2, {"drop_oldest": 1}, 1, 2),),
    )
    plain = json.loads(json.dumps(metrics.to_dict()))
    assert plain == {
        "nodes": [
            {
                "node": "a",
                "node_type": "Gain",
                "count": 3,
                "errors": 1,
                "latency": {"p50_us": 1.5, "p95_us": 2.0, "p99_us": 3.0, "max_us": 4.0},
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
            }
        ],
    }

"""What `remotemedia doctor` says of models."""

from __future__ import annotations

import importlib.util

import pytest

from remotemedia.cli.doctor import Check
from remotemedia_native.onnx import doctor


def by_name() -> dict[str, Check]:
    return {check.name: check for check in doctor.checks(False)}


def test_all_is_well() -> None:
    found = by_name()
    assert found["onnxruntime"] == Check(
        "models", "onnxruntime", "ok", "can run on cpu; on cpu, unless a node asks for another"
    )
    assert found["used"] == Check(
        "models", "used", "ok", "onnxruntime, unless a node names another"
    )


def test_onnxruntime_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "onnxruntime" else find(name, *rest),
    )
    found = by_name()
    assert found["onnxruntime"].status == "missing"
    assert "onnxruntime is not installed" in found["onnxruntime"].detail
    assert found["onnxruntime"].fix == "pip install 'remotemedia[native]'"
    assert found["used"].status == "missing"
    assert "SileroVAD does without" in found["used"].fix

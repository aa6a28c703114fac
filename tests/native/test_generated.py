"""What is generated and committed is as it would be generated now."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import generate_protocol


def test_the_typescript_of_the_protocol_is_up_to_date() -> None:
    assert generate_protocol.FILE.read_text() == generate_protocol.typescript()

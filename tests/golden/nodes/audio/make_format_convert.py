"""Makes format_convert.json: conversions of edge values, calculated with exact fractions.

Python's Fraction and round() (to nearest, halves to even) stand for the definition: full scale is a
power of two, results saturate. Run: ``python tests/golden/nodes/audio/make_format_convert.py``.
"""

import json
import struct
from fractions import Fraction
from pathlib import Path

FULL = {"F32": 1, "I16": 2**15, "I32": 2**31, "U8": 2**7}
ZERO = {"F32": 0, "I16": 0, "I32": 0, "U8": 128}
LEAST = 2.0**-15

VALUES = {
    "F32": [
        *[0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 0.999, 0.99999994, -0.99999994, 3.0e38, -3.0e38],
        *[k * LEAST / 2 for k in (1, -1, 3, -3, 5, -5, 7, -7, 65533, 65535, -65535)],
        *[k / 256 for k in (1, 2, 3, 5, 253, 255, -1, -3, -253, -255)],
        *[1e-9, 2.0**-31, 2.0**-32, 3 * 2.0**-32, 1e-40, 0.1, -0.7, 1 / 3],
    ],
    "I16": [0, 1, -1, 127, 128, 129, 384, -128, -129, -384, 32767, -32768, 32639, 32640, 12345],
    "I32": [
        *[0, 1, -1, 2**31 - 1, -(2**31), 2**31 - 128, 2**31 - 64, 2**31 - 65, 2**24 + 1, 2**24 + 3],
        *[32767, 32768, 32769, 98304, -32768, -98304, 2**23, 3 * 2**23, -(2**23), 123456789],
    ],
    "U8": [0, 1, 127, 128, 129, 254, 255],
}


def single(value: Fraction) -> float:
    """The nearest float32; struct rounds a double, which holds all of these exactly."""
    return struct.unpack("<f", struct.pack("<f", float(value)))[0]


def convert(value: float, source: str, target: str) -> float:
    signal = Fraction(value - ZERO[source]) / FULL[source]
    if target == "F32":
        return single(signal)
    number = round(signal * FULL[target])
    return min(max(number, -FULL[target]), FULL[target] - 1) + ZERO[target]


cases = []
for source, values in VALUES.items():
    given = [single(Fraction(value)) for value in values] if source == "F32" else values
    for target in FULL:
        if target != source:
            expected = [convert(value, source, target) for value in given]
            cases.append({"from": source, "to": target, "given": given, "expected": expected})
text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
Path(__file__).with_name("format_convert.json").write_text(text)

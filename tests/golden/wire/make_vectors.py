"""Writes the golden frames and vectors.json, which says what is in each.

An encoder of its own, from the description of the wire alone: it uses `struct`, `json` and the
msgpack package, and nothing of remotemedia. To run it again::

    python -m venv /tmp/vectors && /tmp/vectors/bin/pip install msgpack==1.2.4
    /tmp/vectors/bin/python tests/golden/wire/make_vectors.py

vectors.json, for readers in any language:

* ``valid[]``: name, file, plain, canonical (an encoder must write exactly these bytes), options of
  the decoder, session, timestamp_us, place (node, port, sequence, sub_sequence, generation), type,
  and data: each field of the type. Arrays are in hex, as their little-endian bytes in C order
  (audio: planar), beside their shape and dtype. An integer beyond 2**53 is written as a string.
* ``broken[]``: name, file, field and offset of the error, and why.
"""

from __future__ import annotations

import json

import own_form
import plain_form
from encoder import HERE, broken, valid


def main() -> None:
    for old in HERE.glob("*.bin"):
        old.unlink()
    own_form.write_valid()
    own_form.write_broken()
    plain_form.write_valid()
    plain_form.write_broken()
    names = [each["name"] for each in valid + broken]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, twice
    index = {"valid": valid, "broken": broken}
    text = json.dumps(index, indent=1, ensure_ascii=False)
    (HERE / "vectors.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Vectors of our form."""

from __future__ import annotations

import struct

import msgpack
from encoder import (
    COMMON,
    LETTERS,
    NOW,
    PLACE,
    bad,
    body_start,
    framed,
    good,
    good_own,
    head,
    own,
    packed,
    values,
)


def audio_map(**changes: object) -> dict:
    fields = {**PLACE, **COMMON, "sample_rate": 16000, "channels": 1, "format": "F32"}
    return {**fields, **changes}


def write_valid() -> None:
    stereo = values("F32", 0.0, 0.5, -1.0, 1.0, -0.0, 0.25)
    good_own(
        "audio-f32",
        "audio",
        {
            "pts_us": 20000,
            "stream_id": "left/right",
            "metadata": {"speaker": "Zoë", "scores": [1, -2, 0.5, None, True], "nested": {"a": {}}},
            "sample_rate": 48000,
            "channels": 2,
            "format": "F32",
        },
        "samples",
        stereo,
        extra={"shape": [2, 3]},
    )
    nan = struct.pack("<5I", 0x7FC00000, 0x7F800001, 0xFF800000, 0x00000001, 0x80000000)
    good_own(
        "audio-f32-bits",
        "audio",
        {"sample_rate": 1, "channels": 1, "format": "F32"},
        "samples",
        nan,
        extra={"shape": [1, 5]},
    )
    good_own(
        "audio-i16",
        "audio",
        {"pts_us": -5, "sample_rate": 44100, "channels": 1, "format": "I16"},
        "samples",
        values("I16", -32768, 32767, 1),
        extra={"shape": [1, 3]},
    )
    good_own(
        "audio-i32",
        "audio",
        {"sample_rate": 192000, "channels": 2, "format": "I32"},
        "samples",
        values("I32", -(2**31), 2**31 - 1),
        extra={"shape": [2, 1]},
    )
    good_own(
        "audio-u8",
        "audio",
        {"sample_rate": 8000, "channels": 1, "format": "U8"},
        "samples",
        values("U8", 0, 128, 255),
        extra={"shape": [1, 3]},
    )
    good_own(
        "audio-empty",
        "audio",
        {"sample_rate": 10_000_000, "channels": 3, "format": "F32"},
        "samples",
        b"",
        extra={"shape": [3, 0]},
    )
    for length in (0, 1, 60, 61, 62, 63):  # every way in which the padding can end, and none
        good_own(
            f"audio-session-{length}",
            "audio",
            {"sample_rate": 16000, "channels": 1, "format": "F32"},
            "samples",
            values("F32", 1.0),
            extra={"shape": [1, 1]},
            session="s" * length,
        )
    good_own(
        "audio-limits",
        "audio",
        {"pts_us": -(2**63) + 1, "sample_rate": 16000, "channels": 1, "format": "U8"},
        "samples",
        b"\1",
        extra={"shape": [1, 1]},
        session="sitzung-ä-会",
        timestamp_us=2**64 - 1,
        place={
            "node": "",
            "port": "端口",
            "sequence": 2**63 - 1,
            "sub_sequence": 2**32,
            "generation": 65536,
        },
    )
    good_own(
        "video-rgb24",
        "video",
        {
            "pts_us": 40000,
            "width": 2,
            "height": 1,
            "pixel_format": "RGB24",
            "codec": None,
            "frame_number": 3,
            "is_keyframe": True,
        },
        "pixels",
        bytes(range(6)),
    )
    for name, size in (
        ("YUV420P", 3 * 3 + 8),
        ("I420", 17),
        ("NV12", 17),
        ("RGBA32", 36),
        ("BGR24", 27),
        ("BGRA32", 36),
        ("GRAY8", 9),
    ):
        good_own(
            f"video-{name.lower()}",
            "video",
            {
                "width": 3,
                "height": 3,
                "pixel_format": name,
                "codec": None,
                "frame_number": 0,
                "is_keyframe": True,
            },
            "pixels",
            bytes(range(100, 100 + size)),
        )
    for codec in ("VP8", "H264", "AV1"):
        good_own(
            f"video-{codec.lower()}",
            "video",
            {
                "width": 1280,
                "height": 720,
                "pixel_format": None,
                "codec": codec,
                "frame_number": 2**40,
                "is_keyframe": False,
                "metadata": {},
            },
            "pixels",
            b"\x00\x00\x01\x65" * 3,
        )
    good_own("text", "text", {"text": "Grüße, 世界 🎧\n", "channel": "tts"})
    good_own(
        "text-empty",
        "text",
        {"text": "", "channel": "ui", "pts_us": 1, "metadata": {"final": False}},
    )
    good_own("text-long", "text", {"text": "é\0" * 22000, "channel": ""})
    good_own(
        "control",
        "control",
        {
            "message_type": "CancelSpeculation",
            "value": {"from": 1, "to": [2, -0.5]},
            "segment_id": "seg-1",
            "timestamp_ms": 1750000000123,
        },
    )
    good_own(
        "control-bare",
        "control",
        {"message_type": "x", "value": None, "segment_id": None, "timestamp_ms": 0},
    )
    one = {"bool": 1, "float16": 0.5, "float32": 0.5, "float64": 1e300}
    for dtype in LETTERS:
        if dtype in ("F32", "I16", "I32", "U8"):
            continue
        numbers = (0, one.get(dtype, 127), 1)
        good_own(
            f"tensor-{dtype}",
            "tensor",
            {"dtype": dtype, "shape": [3, 1]},
            "values",
            values(dtype, *numbers),
        )
    good_own(
        "tensor-scalar",
        "tensor",
        {"dtype": "float64", "shape": []},
        "values",
        values("float64", -0.0),
    )
    good_own("tensor-empty", "tensor", {"dtype": "int64", "shape": [2, 0, 3]}, "values", b"")
    good_own("tensor-32d", "tensor", {"dtype": "uint8", "shape": [1] * 31 + [2]}, "values", b"ab")
    good_own(
        "file",
        "file",
        {
            "path": "/data/ä.wav",
            "filename": "ä.wav",
            "mime_type": "audio/wav",
            "size": 2**63 - 1,
            "offset": 0,
            "length": 44,
            "stream_id": "f",
        },
    )
    good_own(
        "file-path-only",
        "file",
        {
            "path": "a",
            "filename": None,
            "mime_type": None,
            "size": None,
            "offset": None,
            "length": None,
        },
    )
    good_own(
        "json",
        "json",
        {
            "value": {
                "start": 1.5,
                "list": [
                    0,
                    127,
                    128,
                    255,
                    256,
                    65535,
                    65536,
                    2**32,
                    -1,
                    -32,
                    -33,
                    -128,
                    -129,
                    -32769,
                    -(2**31) - 1,
                ],
                "s": ["", "a" * 31, "a" * 32, "a" * 256],
                "many": list(range(16)),
                "t": True,
                "n": None,
            }
        },
    )
    good_own("json-null", "json", {"value": None})
    good_own("json-deepest", "json", {"value": nested(64)})
    good_own(
        "image-png",
        "image",
        {"format": "PNG", "width": 0, "height": 0, "pixel_format": None},
        "content",
        b"\x89PNG\r\n",
    )
    good_own(
        "image-raw",
        "image",
        {"format": "RAW", "width": 1, "height": 2, "pixel_format": "BGR24"},
        "content",
        bytes(range(6)),
    )
    good_own(
        "binary",
        "binary",
        {"mime_type": "application/x", "pts_us": 2**63 - 1},
        "content",
        b"\xff\x00" * 50,
    )
    good_own("binary-empty", "binary", {"mime_type": None}, "content", b"")
    good_own("end-of-input", "end_of_input", {})

    # What no encoder of ours writes, but every decoder reads.
    body = values("F32", 1.0, 2.0)
    data = {"sample_rate": 16000, "channels": 1, "format": "F32", "shape": [1, 2], "samples": body}
    items = list(audio_map().items())
    pairs = {
        "keys-reversed": b"\x8b" + b"".join(packed(k) + packed(v) for k, v in items[::-1]),
        "keys-map16": b"\xde\x00\x0b" + b"".join(packed(k) + packed(v) for k, v in items),
        "keys-map32": b"\xdf\x00\x00\x00\x0b" + b"".join(packed(k) + packed(v) for k, v in items),
        "keys-unknown": packed(audio_map(later={"a": [1, "ä", None]}, also=-1.5)),
        "keys-long-forms": b"\x8b"
        + b"".join(
            b"\xdb"
            + struct.pack(">I", len(k))
            + k.encode()
            + (b"\xcf" + struct.pack(">Q", v) if isinstance(v, int) else packed(v))
            for k, v in items
        ),
    }
    for name, packed_map in pairs.items():
        good(name, own("audio", packed_map, body), "audio", data, canonical=False)


def nested(depth: int) -> object:
    value: object = []
    for _ in range(depth - 1):
        value = [value]
    return value


def place_in(packed_map: bytes, key: str, session: int = 2) -> int:
    """Where the value of a key starts in the frame (the key must be there once as text)."""
    raw = packed(key)
    assert packed_map.count(raw) == 1, key
    return 15 + session + 4 + packed_map.index(raw) + len(raw)


def bad_map(name: str, kind: str, fields: dict, field: str, why: str, body: bytes = b"") -> None:
    packed_map = packed(fields)
    bad(name, own(kind, packed_map, body), field, place_in(packed_map, field), why)


def write_broken() -> None:
    fields = audio_map()
    m = packed(fields)
    body = values("F32", 1.0, 2.0)
    frame = own("audio", m, body)
    base = 21
    bad("cut-head-empty", b"", "type", 0, "no byte at all")
    bad("cut-head-type", frame[:1], "session_len", 1, "ends after the type")
    bad("cut-head-session", frame[:4], "session", 3, "ends inside the session name")
    bad("cut-head-timestamp", frame[:9], "timestamp_us", 5, "ends inside the timestamp")
    bad("cut-head-length", frame[:15], "payload_len", 13, "ends inside the payload length")
    bad("cut-payload", frame[:-1], "payload_len", 13, "one byte less than announced")
    bad("tail", frame + b"\0", "payload_len", 13, "one byte more than announced")
    bad("length-huge", head(0x81, b"s1", NOW, 2**32 - 1) + b"\0" * 8, "payload_len", 13, "4 GiB")
    for code in (0x00, 0x04, 0x09, 0x0C, 0x7F, 0x80, 0x84, 0x8C, 0xFF):
        bad(f"type-{code:02x}", framed(code, b""), "type", 0, "no such type, or no plain form")
    bad("session-not-utf8", framed(0x88, b"", b"ok\xff\xfe"), "session", 5, "not UTF-8")
    bad("map-len-cut", framed(0x81, b"\1\0"), "map_len", 17, "a length of two bytes")
    bad(
        "map-len-too-long",
        framed(0x81, struct.pack("<I", len(m) + 1) + m),
        "map_len",
        17,
        "longer than the payload",
    )
    bad("map-len-huge", framed(0x81, b"\xff\xff\xff\xff" + m), "map_len", 17, "4 GiB")
    bad("map-empty", own("audio", b""), "map", base, "no map at all")
    bad("map-is-list", own("audio", packed([1])), "map", base, "a list")
    bad("map-tail", own("audio", m + b"\xc0", body), "map", base + len(m), "a byte after the map")
    bad("map-cut", own("audio", m[:-2], body), "format", base + m.index(b"\xa3F32"), "text cut")
    bad(
        "map-claims-2e32",
        own("audio", b"\xdf\xff\xff\xff\xff" + m[1:], body),
        "map",
        base,
        "2**32 - 1 keys",
    )
    bad(
        "map-key-number",
        own("audio", b"\x8c" + m[1:] + b"\x01\x02"),
        "map",
        base + len(m),
        "a key that is no text",
    )
    bad("map-key-missing", own("audio", b"\x8c" + m[1:]), "map", base + len(m), "one key too few")
    bad(
        "map-key-not-utf8",
        own("audio", b"\x8c" + m[1:] + b"\xa1\xff\xc0"),
        "map",
        base + len(m) + 1,
        "a key that is not UTF-8",
    )
    bad(
        "map-key-twice",
        own("audio", b"\x8c" + m[1:] + packed("node") + packed("x")),
        "node",
        base + len(m),
        "node is there twice",
    )
    twice = b"\x8b" + m[1:].replace(packed("port"), packed("node"), 1)
    bad(
        "map-key-twice-same-count",
        own("audio", twice, body),
        "node",
        base + twice.rindex(packed("node")),
        "node instead of port",
    )
    for key in fields:
        less = {k: v for k, v in fields.items() if k != key}
        bad(
            f"map-without-{key.replace('_', '-')}",
            own("audio", packed(less), body),
            key,
            base,
            "a required key is missing",
        )
    short = own("audio", m[:-4] + b"\xda\x00")
    bad("map-cut-length", short, "format", base + len(m) - 4, "a length of one byte of two")
    bad("map-opcode-c1", own("audio", m[:-4] + b"\xc1"), "format", base + len(m) - 4, "no msgpack")
    for name, value in (
        ("bin", b"ab"),
        ("ext", msgpack.ExtType(5, b"abcd")),
        ("timestamp", msgpack.Timestamp(1)),
        ("nan", float("nan")),
        ("infinity", float("-inf")),
    ):
        extra = packed({**fields, "metadata": {"k": value}})
        at = base + extra.index(b"\xa8metadata") + 9 + 1 + 2
        bad(f"metadata-{name}", own("audio", extra, body), "metadata", at, "not JSON-like")
        unknown = packed({**fields, "later": value})
        bad(
            f"unknown-{name}",
            own("audio", unknown, body),
            "later",
            place_in(unknown, "later"),
            "not JSON-like, under an unknown key",
        )
    extra = packed({**fields, "metadata": {1: 2}})
    at = base + extra.index(b"\xa8metadata") + 9 + 1
    bad("metadata-key-number", own("audio", extra, body), "metadata", at, "a key that is no text")
    bad_map("metadata-list", "audio", audio_map(metadata=[1]), "metadata", "a list", body)
    bad_map("metadata-text", "audio", audio_map(metadata="a"), "metadata", "a text", body)
    deep = packed(fields)[:-4].replace(
        b"\xa8metadata\xc0", b"\xa8metadata" + b"\x91" * 65 + b"\xc0"
    )
    deep += b"\xa3F32"
    at = base + deep.index(b"\xa8metadata") + 9 + 64
    bad("metadata-depth-65", own("audio", deep, body), "metadata", at, "65 deep")
    deep = deep.replace(b"\x91" * 65, b"\x91" * 5000)
    bad("metadata-depth-5000", own("audio", deep, body), "metadata", at, "5,000 deep")
    for name, claim in (
        ("list", b"\xdd\xff\xff\xff\xff"),
        ("map", b"\xdf\xff\xff\xff\xff"),
        ("list-16", b"\xdc\xff\xff"),
        ("map-16", b"\xde\x7f\xff"),
    ):
        claims = m.replace(b"\xa8metadata\xc0", b"\xa8metadata" + claim)
        at = base + m.index(b"\xa8metadata") + 9
        bad(f"metadata-claims-{name}", own("audio", claims, body), "metadata", at, "too many items")
    for name, claim in (("map", b"\xdf\x80\x00\x00\x00"), ("text", b"\xdb\xff\xff\xff\xf0")):
        # As many keys as there should be, one of them unknown: a length that is negative in 32 bits
        claims = m.replace(packed("port") + packed("out"), packed("prot") + claim)
        place = base + claims.index(claim)
        why = "more than is there"
        bad(f"unknown-claims-{name}", own("audio", claims, body), "prot", place, why)
    claims = m.replace(b"\xa8metadata\xc0", b"\xa8metadata\xdb\xff\xff\xff\xff")
    bad("metadata-claims-text", own("audio", claims, body), "metadata", at, "4 GiB of text")
    text = m.replace(b"\xa3mic", b"\xa3m\xffc")
    bad("node-not-utf8", own("audio", text, body), "node", place_in(m, "node") + 2, "not UTF-8")
    for key, value, why in (
        ("node", 1, "a number"),
        ("node", None, "nil"),
        ("port", b"out", "bytes"),
        ("sequence", -1, "negative"),
        ("sequence", 1.0, "a float"),
        ("sequence", True, "a bool"),
        ("sequence", None, "nil"),
        ("sub_sequence", -1, "negative"),
        ("generation", "0", "text"),
        ("pts_us", 0.5, "a float"),
        ("pts_us", "0", "text"),
        ("pts_us", 2**63, "64 bits"),
        ("pts_us", -(2**63), "64 bits down"),
        ("sequence", 2**63, "64 bits"),
        ("stream_id", 3, "a number"),
        ("sample_rate", 0, "0 Hz"),
        ("sample_rate", -1, "negative"),
        ("sample_rate", 10_000_001, "too high"),
        ("sample_rate", 2**64 - 1, "far too high"),
        ("sample_rate", 16000.0, "a float"),
        ("channels", 0, "none"),
        ("channels", 257, "too many"),
        ("format", "F64", "unknown"),
        ("format", 1, "a number"),
        ("format", None, "nil"),
    ):
        name = f"audio-{key.replace('_', '-')}-{why.replace(' ', '-')}"
        bad_map(name, "audio", audio_map(**{key: value}), key, why, body)
    bad(
        "padding-missing",
        framed(0x81, struct.pack("<I", len(m)) + m),
        "padding",
        base + len(m),
        "ends with the map, before the body's place",
    )
    pad = bytearray(own("audio", m, body))
    pad[body_start(m) - 1] = 1
    bad("padding-not-zero", bytes(pad), "padding", base + len(m), "hidden bytes")
    at = body_start(m)
    bad("audio-body-7-bytes", own("audio", m, body[:7]), "body", at, "no whole number of frames")
    stereo = packed(audio_map(channels=3))
    bad("audio-body-2-of-3", own("audio", stereo, body), "body", body_start(stereo), "2/3 frame")

    video = {
        **PLACE,
        **COMMON,
        "width": 2,
        "height": 2,
        "pixel_format": "RGB24",
        "codec": None,
        "frame_number": 0,
        "is_keyframe": True,
    }
    m = packed(video)
    bad("video-body-short", own("video", m, bytes(11)), "body", body_start(m), "11 of 12 bytes")
    huge = packed({**video, "width": 2**63 - 1, "height": 2**63 - 1})
    bad("video-huge", own("video", huge, bytes(12)), "body", body_start(huge), "2**128 pixels")
    bad_map("video-both", "video", {**video, "codec": "VP8"}, "codec", "raw and encoded", bytes(12))
    bad_map(
        "video-neither", "video", {**video, "pixel_format": None}, "codec", "neither", bytes(12)
    )
    for key, value in (
        ("width", 0),
        ("height", -1),
        ("pixel_format", "RGB"),
        ("codec", "VP9"),
        ("frame_number", -1),
        ("is_keyframe", 1),
    ):
        bad_map(
            f"video-{key.replace('_', '-')}",
            "video",
            {**video, key: value},
            key,
            repr(value),
            bytes(12),
        )

    text = packed({**PLACE, **COMMON, "text": "a", "channel": "tts"})
    payload = struct.pack("<I", len(text)) + text
    bad("text-with-body", framed(0x83, payload + b"\0"), "body", base + len(text), "has no body")
    bad(
        "text-not-utf8",
        own("text", text.replace(b"\xa1a", b"\xa1\xff")),
        "text",
        place_in(text, "text") + 1,
        "not UTF-8",
    )
    surrogate = text.replace(b"\xa1a", b"\xa3\xed\xa0\x80")
    bad("text-surrogate", own("text", surrogate), "text", place_in(text, "text") + 1, "CESU-8")

    control = {
        **PLACE,
        **COMMON,
        "message_type": "x",
        "value": None,
        "segment_id": None,
        "timestamp_ms": 0,
    }
    for key, value in (("message_type", ""), ("segment_id", 1), ("timestamp_ms", -1)):
        bad_map(
            f"control-{key.replace('_', '-')}", "control", {**control, key: value}, key, repr(value)
        )
    m = packed({**control, "value": [float("nan")]})
    bad("control-value-nan", own("control", m), "value", place_in(m, "value") + 1, "NaN")

    tensor = {**PLACE, **COMMON, "dtype": "float32", "shape": [2]}
    for name, dtype in (
        ("object", "object"),
        ("object-code", "|O"),
        ("complex", "complex64"),
        ("string", "<U4"),
        ("void", "V8"),
        ("big-endian", ">f4"),
    ):
        bad_map(
            f"tensor-dtype-{name}", "tensor", {**tensor, "dtype": dtype}, "dtype", dtype, bytes(8)
        )
    for name, shape in (
        ("negative", [-2]),
        ("64-bits", [2**63]),
        ("33d", [1] * 33),
        ("float", [2.0]),
        ("number", 2),
    ):
        bad_map(
            f"tensor-shape-{name}", "tensor", {**tensor, "shape": shape}, "shape", name, bytes(8)
        )
    bad_map(
        "tensor-shape-span",
        "tensor",
        {**tensor, "shape": [2**40, 0]},
        "shape",
        "an empty array with a side that wasm32 cannot count",
    )
    bad_map(
        "tensor-shape-span-product",
        "tensor",
        {**tensor, "shape": [2**20, 0, 2**20]},
        "shape",
        "sides that wasm32 cannot count together",
    )
    for name, shape in (
        ("short", [3]),
        ("long", [1]),
        ("overflow", [2**62 + 1, 2]),
        ("huge", [2**63 - 1] * 32),
        ("empty", [0]),
    ):
        m = packed({**tensor, "shape": shape})
        bad(
            f"tensor-body-{name}",
            own("tensor", m, bytes(8)),
            "body",
            body_start(m),
            "the shape needs another size",
        )
    m = packed({**tensor, "dtype": "bool"})
    bad("tensor-bool-2", own("tensor", m, b"\1\2"), "body", body_start(m), "a bool of 2")

    file = {
        **PLACE,
        **COMMON,
        "path": "a",
        "filename": None,
        "mime_type": None,
        "size": None,
        "offset": None,
        "length": None,
    }
    for name, key, value in (
        ("path-empty", "path", ""),
        ("path-nul", "path", "a\0b"),
        ("size", "size", -1),
        ("offset", "offset", 0.0),
        ("filename", "filename", 1),
    ):
        bad_map(f"file-{name}", "file", {**file, key: value}, key, repr(value))

    m = packed({**PLACE, **COMMON, "value": [1, {"a": float("inf")}]})
    bad("json-infinity", own("json", m), "value", place_in(m, "value") + 1 + 1 + 1 + 2, "infinity")
    m = packed({**PLACE, **COMMON, "value": nested(65)})
    bad("json-depth-65", own("json", m), "value", place_in(m, "value") + 64, "65 deep")
    m = packed({**PLACE, **COMMON, "value": 0})
    bomb = m.replace(b"\xa5value\x00", b"\xa5value" + b"\xdd\x00\x00\x20\x00" + b"\x80" * 8191)
    bad(
        "json-bomb",
        own("json", bomb),
        "value",
        place_in(m, "value"),
        "8,192 maps announced, one less there",
    )
    late = m.replace(b"\xa5value\x00", b"\xa5value" + b"\xdc\x20\x00" + b"\x80" * 8191 + b"\xc1")
    bad(
        "json-bomb-late",
        own("json", late),
        "value",
        place_in(m, "value") + 3 + 8191,
        "8,191 maps, then no msgpack",
    )

    image = {**PLACE, **COMMON, "format": "RAW", "width": 1, "height": 1, "pixel_format": "GRAY8"}
    m = packed(image)
    for side in ("width", "height"):
        bad_map(f"image-raw-{side}-0", "image", {**image, side: 0}, side, "no pixels")
    bad("image-body", own("image", m, b"ab"), "body", body_start(m), "2 bytes for a pixel of one")
    bad_map(
        "image-pixel-format-missing",
        "image",
        {**image, "pixel_format": None},
        "pixel_format",
        "RAW without",
        b"a",
    )
    bad_map(
        "image-pixel-format-extra",
        "image",
        {**image, "format": "PNG"},
        "pixel_format",
        "PNG with",
        b"a",
    )
    bad_map("image-format", "image", {**image, "format": "GIF"}, "format", "unknown", b"a")
    bad_map(
        "binary-mime-type", "binary", {**PLACE, **COMMON, "mime_type": 1}, "mime_type", "a number"
    )
    m = packed(PLACE)
    payload = struct.pack("<I", len(m)) + m
    bad("end-of-input-body", framed(0x88, payload + b"x"), "body", base + len(m), "has no body")
    bad_map("end-of-input-sequence", "end_of_input", {**PLACE, "sequence": -1}, "sequence", "-1")

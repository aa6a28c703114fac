"""Vectors of the plain form."""

from __future__ import annotations

import json
import struct

from encoder import bad, framed, good, values


def plain_audio(rate: int, channels: int, meta: bytes, samples: bytes) -> bytes:
    return framed(1, struct.pack("<IHI", rate, channels, len(meta)) + meta + samples)


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def array(dims: tuple, strides: tuple, dtype: bytes, flags: int, data: bytes) -> bytes:
    payload = struct.pack(f"<H{len(dims)}Q", len(dims), *dims)
    payload += struct.pack(f"<H{len(strides)}q", len(strides), *strides)
    return framed(6, payload + struct.pack("<H", len(dtype)) + dtype + bytes([flags]) + data)


def file_payload(path: bytes, name: bytes, mime: bytes, numbers: tuple, stream: bytes) -> bytes:
    payload = b"".join(struct.pack("<H", len(text)) + text for text in (path, name, mime))
    return payload + struct.pack("<3Q", *numbers) + struct.pack("<H", len(stream)) + stream


def write_valid() -> None:
    def audio(name: str, frame: bytes, rate: int, shape: list, planar: bytes, **more) -> None:
        data = {
            "sample_rate": rate,
            "channels": shape[0],
            "format": "F32",
            "shape": shape,
            "samples": planar,
            "metadata": more.pop("metadata", None),
        }
        good(name, frame, "audio", data, plain=True, **more)

    mono = values("F32", 0.5, -0.5, 1.0)
    audio("plain-audio-mono", plain_audio(16000, 1, b"", mono), 16000, [1, 3], mono)
    audio(
        "plain-audio-stereo",
        plain_audio(48000, 2, b"", values("F32", 1, -1, 2, -2, 3, -3)),
        48000,
        [2, 3],
        values("F32", 1, 2, 3, -1, -2, -3),
    )
    audio("plain-audio-empty", plain_audio(8000, 2, b"", b""), 8000, [2, 0], b"")
    for size in range(4):  # samples at every distance from a multiple of four
        meta = {"k": "x" * size}
        audio(
            f"plain-audio-metadata-{size}",
            plain_audio(24000, 1, compact(meta), mono),
            24000,
            [1, 3],
            mono,
            metadata=meta,
        )
    meta = {"who": "Zoë", "n": [1, -2, 0.5, None, True, {}]}
    audio(
        "plain-audio-metadata-nested",
        plain_audio(24000, 1, compact(meta), mono),
        24000,
        [1, 3],
        mono,
        metadata=meta,
    )
    spaced = json.dumps(meta, indent=1).encode()
    audio(
        "plain-audio-metadata-spaced",
        plain_audio(24000, 1, spaced, mono),
        24000,
        [1, 3],
        mono,
        metadata=meta,
        canonical=False,
    )
    audio(
        "plain-audio-metadata-null",
        plain_audio(24000, 1, b"null", mono),
        24000,
        [1, 3],
        mono,
        canonical=False,
    )
    bare = {"canonical": False, "options": {"bare_audio_rate": 24000}}
    audio("plain-audio-bare", framed(1, mono), 24000, [1, 3], mono, **bare)
    audio("plain-audio-bare-one", framed(1, mono[:4]), 24000, [1, 1], mono[:4], **bare)
    audio("plain-audio-bare-none", framed(1, b""), 24000, [1, 0], b"", **bare)
    audio("plain-audio-bare-silence", framed(1, bytes(16)), 24000, [1, 4], bytes(16), **bare)
    audio(
        "plain-audio-not-bare",
        plain_audio(16000, 1, b"{}{}"[:2], mono),
        16000,
        [1, 3],
        mono,
        metadata={},
        options={"bare_audio_rate": 24000},
    )

    def video(name: str, fields: dict, pixfmt: int, codec: int, pixels: bytes, **more) -> None:
        start = struct.pack(
            "<IIBBQB",
            fields["width"],
            fields["height"],
            pixfmt,
            codec,
            fields["frame_number"],
            fields["is_keyframe"],
        )
        good(
            name,
            framed(2, start + pixels),
            "video",
            {**fields, "pixels": pixels},
            plain=True,
            **more,
        )

    raw = {"width": 3, "height": 3, "codec": None, "frame_number": 2**63 - 1, "is_keyframe": True}
    for number, name, size in (
        (1, "YUV420P", 17),
        (2, "I420", 17),
        (3, "NV12", 17),
        (4, "RGB24", 27),
        (5, "RGBA32", 36),
    ):
        video(
            f"plain-video-{name.lower()}",
            {**raw, "pixel_format": name},
            number,
            0,
            bytes(range(size)),
        )
    for number, name in ((1, "VP8"), (2, "H264"), (3, "AV1")):
        fields = {
            "width": 640,
            "height": 480,
            "pixel_format": None,
            "codec": name,
            "frame_number": 9,
            "is_keyframe": False,
        }
        video(f"plain-video-{name.lower()}", fields, 255, number, b"\1\2\3\4\5")
    video("plain-video-unspecified", fields, 0, 3, b"\1", canonical=False)

    def text(name: str, payload: bytes, value: str, channel: str = "tts", **more) -> None:
        good(
            name,
            framed(3, payload),
            "text",
            {"text": value, "channel": channel},
            plain=True,
            **more,
        )

    text("plain-text", "Grüße 🎧".encode(), "Grüße 🎧")
    text("plain-text-empty", b"", "")
    text("plain-text-channel", b"\0\2uihello", "hello", "ui")
    text("plain-text-channel-empty", b"\0\0hello", "hello", "")
    text("plain-text-channel-255", b"\0\xff" + b"c" * 255, "", "c" * 255)
    text("plain-text-nul", b"\0\3tts\0a", "\0a")
    text("plain-text-tts-spelled", b"\0\3ttsa", "a", canonical=False)

    def control(name: str, message: object, fields: dict, **more) -> None:
        full = {"value": None, "segment_id": None, "timestamp_ms": 0, **fields}
        good(name, framed(5, compact(message)), "control", full, plain=True, **more)

    control(
        "plain-control",
        {
            "message_type": {"type": "CancelSpeculation", "from_timestamp": 1, "to": [0.5]},
            "segment_id": "seg-1",
            "timestamp_ms": 1750000000123,
            "metadata": {"a": "ä"},
        },
        {
            "message_type": "CancelSpeculation",
            "value": {"from_timestamp": 1, "to": [0.5]},
            "segment_id": "seg-1",
            "timestamp_ms": 1750000000123,
            "metadata": {"a": "ä"},
        },
    )
    control(
        "plain-control-bare",
        {"message_type": {"type": "x"}, "segment_id": None, "timestamp_ms": 0, "metadata": None},
        {"message_type": "x"},
    )
    control(
        "plain-control-name",
        {"message_type": "x", "timestamp_ms": 5, "other": []},
        {"message_type": "x", "timestamp_ms": 5},
        canonical=False,
    )

    def tensor(name: str, frame: bytes, dtype: str, shape: list, elements: bytes, **more) -> None:
        data = {"dtype": dtype, "shape": shape, "values": elements}
        good(name, frame, "tensor", data, plain=True, **more)

    six = values("int16", 1, 2, 3, 4, 5, 6)
    tensor("plain-tensor", array((2, 3), (6, 2), b"int16", 1, six), "int16", [2, 3], six)
    for dtype in ("bool", "uint8", "float16", "float32", "float64", "int64", "uint64"):
        two = values(dtype, 0, 1)
        size = len(two) // 2
        tensor(
            f"plain-tensor-{dtype}", array((2,), (size,), dtype.encode(), 3, two), dtype, [2], two
        )
    tensor(
        "plain-tensor-scalar",
        array((), (), b"float32", 3, values("float32", 7)),
        "float32",
        [],
        values("float32", 7),
    )
    tensor("plain-tensor-empty", array((0, 2), (8, 4), b"int32", 3, b""), "int32", [0, 2], b"")
    tensor(
        "plain-tensor-code",
        array((2, 3), (6, 2), b"<i2", 1, six),
        "int16",
        [2, 3],
        six,
        canonical=False,
    )
    tensor(
        "plain-tensor-no-strides",
        array((2, 3), (), b"int16", 1, six),
        "int16",
        [2, 3],
        six,
        canonical=False,
    )
    tensor(
        "plain-tensor-fortran",
        array((2, 3), (2, 4), b"int16", 2, six),
        "int16",
        [2, 3],
        values("int16", 1, 3, 5, 2, 4, 6),
        canonical=False,
    )
    tensor(
        "plain-tensor-side-1",
        array((1, 3), (999, 2), b"int16", 1, six[:6]),
        "int16",
        [1, 3],
        six[:6],
        canonical=False,
    )

    good(
        "plain-file",
        framed(7, file_payload("/ä".encode(), b"n", b"audio/wav", (9, 1, 2**63 - 1), b"st")),
        "file",
        {
            "path": "/ä",
            "filename": "n",
            "mime_type": "audio/wav",
            "size": 9,
            "offset": 1,
            "length": 2**63 - 1,
            "stream_id": "st",
        },
        plain=True,
    )
    good(
        "plain-file-path-only",
        framed(7, file_payload(b"/a", b"", b"", (0, 0, 0), b"")),
        "file",
        {
            "path": "/a",
            "filename": None,
            "mime_type": None,
            "size": None,
            "offset": None,
            "length": None,
        },
        plain=True,
    )
    good("plain-end-of-input", framed(8, b""), "end_of_input", {}, plain=True)


def write_broken() -> None:
    mono = values("F32", 0.5, -0.5)
    full = plain_audio(16000, 1, b"", mono)[17:]
    for size, field, offset in (
        (0, "sample_rate", 17),
        (3, "sample_rate", 17),
        (5, "channels", 21),
        (9, "meta_len", 23),
        (12, "samples", 27),
    ):
        bad(f"plain-audio-cut-{size}", framed(1, full[:size]), field, offset, f"{size} bytes")
    bad("plain-audio-rate-0", plain_audio(0, 1, b"", mono), "sample_rate", 17, "0 Hz")
    bad("plain-audio-rate-high", plain_audio(10_000_001, 1, b"", mono), "sample_rate", 17, "10 MHz")
    bad(
        "plain-audio-bare-unasked",
        framed(1, mono),
        "sample_rate",
        17,
        "the older layout, not asked for",
    )
    bad("plain-audio-channels-257", plain_audio(16000, 257, b"", b""), "channels", 21, "too many")
    bad("plain-audio-channels-0", plain_audio(16000, 0, b"", mono), "channels", 21, "no channel")
    bad("plain-audio-2-of-3", plain_audio(16000, 3, b"", mono), "samples", 27, "2/3 frame")
    bad(
        "plain-audio-meta-len",
        framed(1, struct.pack("<IHI", 16000, 1, 9) + mono),
        "meta_len",
        23,
        "more than is there",
    )
    bad(
        "plain-audio-meta-huge",
        framed(1, struct.pack("<IHI", 16000, 1, 2**32 - 1) + mono),
        "meta_len",
        23,
        "4 GiB",
    )
    for name, meta, offset in (
        ("syntax", b"{", 0),
        ("list", b"[]", 0),
        ("text", b'"a"', 0),
        ("nan", b'{"a":NaN}', 0),
        ("1e400", b'{"a":1e400}', 0),
        ("65-bits", b'{"a":18446744073709551616}', 0),
        ("not-utf8", b'{"a":"\xff"}', 6),
        ("surrogate", b'{"a":"\\ud800"}', 0),
        ("depth-65", b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", 5 + 63),
        ("depth-5000", b"[" * 5000, 64),
        ("depth-quoted", b'{"\\"[[":' + b"[" * 99, 8 + 63),
        ("depth-late", b"[" + b"[]," * 99 + b"[", 0),
        ("bomb", b"[" + b"[]," * 5000 + b"x", 0),
    ):
        bad(
            f"plain-audio-metadata-{name}",
            plain_audio(16000, 1, meta, mono),
            "metadata",
            27 + offset,
            name,
        )

    def video(name: str, field: str, at: int, pixels: bytes = bytes(12), **changes: int) -> None:
        fields = {"w": 2, "h": 2, "p": 4, "c": 0, "n": 0, "k": 1, **changes}
        frame = framed(2, struct.pack("<IIBBQB", *fields.values()) + pixels)
        bad(f"plain-video-{name}", frame, field, at, name)

    bad("plain-video-cut", framed(2, bytes(9)), "codec", 26, "ends before the codec")
    video("width-0", "width", 17, w=0)
    video("height-0", "height", 21, h=0)
    video("pixel-format-0", "pixel_format", 25, p=0)
    video("pixel-format-6", "pixel_format", 25, p=6)
    video("pixel-format-255", "pixel_format", 25, p=255)
    video("pixel-format-6-encoded", "pixel_format", 25, p=6, c=1)
    video("codec-4", "codec", 26, p=255, c=4)
    video("codec-of-raw", "codec", 26, c=1)
    video("frame-number-64-bits", "frame_number", 27, n=2**63)
    video("keyframe-2", "is_keyframe", 35, k=2)
    video("pixels-short", "pixels", 36, pixels=bytes(11))
    video("pixels-huge", "pixels", 36, w=2**32 - 1, h=2**32 - 1)

    for name, payload, field, at in (
        ("not-utf8", b"ab\xff", "text", 19),
        ("channel-cut", b"\0", "channel_len", 18),
        ("channel-short", b"\0\5ab", "channel", 19),
        ("channel-not-utf8", b"\0\1\xffa", "channel", 19),
        ("text-after-channel", b"\0\1a\xc0", "text", 20),
    ):
        bad(f"plain-text-{name}", framed(3, payload), field, at, name)

    for name, payload, field, at in (
        ("empty", b"", "message", 17),
        ("list", b"[]", "message", 17),
        ("syntax", b'{"message_type"', "message", 17),
        ("not-utf8", b'{"\xff":1}', "message", 19),
        ("type-missing", b"{}", "message_type", 17),
        ("type-number", b'{"message_type":1}', "message_type", 17),
        ("type-empty", b'{"message_type":""}', "message_type", 17),
        ("tag-missing", b'{"message_type":{"a":1}}', "message_type", 17),
        ("tag-number", b'{"message_type":{"type":1}}', "message_type", 17),
        (
            "argument-65-bits",
            b'{"message_type":{"type":"x","a":18446744073709551616}}',
            "message_type",
            17,
        ),
        ("segment", b'{"message_type":"x","segment_id":1}', "segment_id", 17),
        ("timestamp", b'{"message_type":"x","timestamp_ms":-1}', "timestamp_ms", 17),
        (
            "timestamp-64-bits",
            b'{"message_type":"x","timestamp_ms":9223372036854775808}',
            "timestamp_ms",
            17,
        ),
        ("timestamp-bool", b'{"message_type":"x","timestamp_ms":true}', "timestamp_ms", 17),
        ("metadata", b'{"message_type":"x","metadata":[]}', "metadata", 17),
        ("depth", b"[" * 66, "message", 17 + 65),
    ):
        bad(f"plain-control-{name}", framed(5, payload), field, at, name)

    four = values("float32", 1, 2, 3, 4)
    start = 17
    good_frame = array((2, 2), (8, 4), b"float32", 1, four)
    for size, field, at in (
        (1, "ndim", 17),
        (10, "shape", 19),
        (19, "strides", 35),
        (35, "strides", 37),
        (37, "dtype", 53),
        (44, "dtype", 55),
        (45, "flags", 62),
    ):
        bad(
            f"plain-tensor-cut-{size}",
            framed(6, good_frame[17 : 17 + size]),
            field,
            at,
            f"{size} bytes",
        )
    bad("plain-tensor-ndim-33", array((1,) * 33, (), b"uint8", 1, b"a"), "ndim", start, "33")
    bad("plain-tensor-ndim-65535", framed(6, b"\xff\xff" + bytes(64)), "ndim", start, "65535")
    bad("plain-tensor-strides-count", array((2, 2), (4,), b"float32", 1, four), "strides", 35, "1")
    for name, strides, flags in (
        ("other", (16, 4), 1),
        ("negative", (-8, 4), 1),
        ("zero", (0, 0), 1),
        ("order", (8, 4), 2),
    ):
        bad(
            f"plain-tensor-strides-{name}",
            array((2, 2), strides, b"float32", flags, four),
            "strides",
            35,
            "not those of its order",
        )
    for name, dtype in (
        ("object", b"object"),
        ("object-code", b"|O"),
        ("big-endian", b">f4"),
        ("empty", b""),
        ("complex", b"complex64"),
        ("string", b"<U1"),
    ):
        bad(f"plain-tensor-dtype-{name}", array((2, 2), (8, 4), dtype, 1, four), "dtype", 53, name)
    bad("plain-tensor-dtype-not-utf8", array((2, 2), (8, 4), b"\xff", 1, four), "dtype", 55, "ff")
    bad("plain-tensor-flags-0", array((2, 2), (8, 4), b"float32", 0, four), "flags", 62, "no order")
    for name, dims in (
        ("short", (2, 3)),
        ("long", (2, 1)),
        ("overflow", (2**63, 2)),
        ("huge", (2**64 - 1,) * 2),
    ):
        bad(
            f"plain-tensor-elements-{name}",
            array(dims, (8, 4), b"float32", 1, four),
            "elements",
            63,
            "the shape needs another size",
        )
    bad("plain-tensor-span", array((2**40, 0), (8, 4), b"float32", 1, b""), "shape", 19, "too long")
    bad(
        "plain-tensor-bool-2", array((2,), (1,), b"bool", 3, b"\2\0"), "elements", 44, "a bool of 2"
    )

    whole = file_payload(b"/a", b"n", b"m", (1, 2, 3), b"s")
    for size, field, at in (
        (1, "path", 17),
        (3, "path", 19),
        (5, "filename", 21),
        (8, "mime_type", 24),
        (12, "size", 27),
        (20, "offset", 35),
        (30, "length", 43),
        (35, "stream_id", 51),
        (36, "stream_id", 53),
    ):
        bad(f"plain-file-cut-{size}", framed(7, whole[:size]), field, at, f"{size} bytes")
    for index, field in enumerate(("size", "offset", "length")):
        numbers = tuple(2**63 if index == other else 1 for other in range(3))
        bad(
            f"plain-file-{field}-64-bits",
            framed(7, file_payload(b"a", b"", b"", numbers, b"")),
            field,
            17 + 3 + 2 + 2 + 8 * index,
            "beyond 63 bits",
        )
    bad("plain-file-tail", framed(7, whole + b"x"), "payload", 54, "a byte too many")
    bad(
        "plain-file-path-empty",
        framed(7, file_payload(b"", b"", b"", (0, 0, 0), b"")),
        "path",
        17,
        "no path",
    )
    bad(
        "plain-file-path-nul",
        framed(7, file_payload(b"a\0", b"", b"", (0, 0, 0), b"")),
        "path",
        17,
        "a NUL",
    )
    bad(
        "plain-file-path-not-utf8",
        framed(7, file_payload(b"a\xff", b"", b"", (0, 0, 0), b"")),
        "path",
        20,
        "not UTF-8",
    )
    bad("plain-end-of-input-payload", framed(8, b"x"), "payload", 17, "has none")

"""Text, Binary, Control and File, and what all types have in common."""

import inspect

import numpy as np
import pytest

from remotemedia.data import (
    BY_MEDIA,
    BY_WIRE_TYPE,
    DATA_TYPES,
    TYPES,
    Audio,
    Binary,
    Control,
    Data,
    File,
    Image,
    Json,
    Packet,
    Tensor,
    Text,
    Video,
)
from remotemedia.errors import DataError

ONE_OF_EACH = [
    Audio(np.zeros(1, np.float32), 8000),
    Video(np.zeros(3, np.uint8), 1, 1),
    Text("x"),
    Control("x"),
    Tensor(np.zeros(1)),
    File("x"),
    Json(1),
    Image(b"", "PNG"),
    Binary(b""),
]


def test_the_table_of_types():
    assert tuple(type(data) for data in ONE_OF_EACH) == TYPES
    assert frozenset(TYPES) == DATA_TYPES
    assert {  # DESIGN.md, "Wire"
        1: Audio, 2: Video, 3: Text, 5: Control, 6: Tensor, 7: File, 9: Json, 10: Image, 11: Binary
    } == BY_WIRE_TYPE  # fmt: skip
    assert {cls.__name__.lower(): cls for cls in TYPES} == BY_MEDIA


@pytest.mark.parametrize("data", ONE_OF_EACH, ids=lambda data: data.media)
class TestEveryType:
    def test_ends_with_the_common_fields(self, data):
        assert data.__struct_fields__[-3:] == ("pts_us", "stream_id", "metadata")
        assert list(inspect.signature(type(data)).parameters)[-3:] == [
            "pts_us",
            "stream_id",
            "metadata",
        ]
        assert (data.pts_us, data.stream_id, data.metadata) == (None, None, None)

    def test_checks_the_common_fields(self, data):
        with pytest.raises(DataError, match="pts_us must be"):
            data.replace(pts_us="1")
        with pytest.raises(DataError, match="stream_id must be"):
            data.replace(stream_id=1)
        with pytest.raises(DataError, match=r"metadata\.a: a set is not JSON"):
            data.replace(metadata={"a": {1}})

    def test_is_frozen(self, data):
        for name in data.__struct_fields__:
            with pytest.raises(AttributeError, match="immutable"):
                setattr(data, name, None)

    def test_equals_its_copy_only(self, data):
        assert data.equals(data.replace())
        assert not data.equals(data.replace(pts_us=1))
        others = [other for other in ONE_OF_EACH if other is not data]
        assert not any(data.equals(other) for other in others)


def test_the_base_is_no_value_of_its_own():
    assert Data not in DATA_TYPES
    assert Data().caps_fields() == {}


def test_text():
    text = Text("grüß dich", "screen", 5)
    assert (text.text, text.channel, text.pts_us) == ("grüß dich", "screen", 5)
    assert Text("").channel == "tts"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Text(b"x"), "text must be a str, not b'x' (bytes)"),
        (lambda: Text(None), "text must be a str, not None (NoneType)"),
        (lambda: Text("x", None), "channel must be a str, not None (NoneType)"),
        (
            lambda: Text("a\ud83d"),
            "text is not valid Unicode: 'utf-8' codec can't encode character '\\ud83d' in "
            "position 1: surrogates not allowed",
        ),
        (lambda: Binary("x"), "content must be bytes, not str: encode it first"),
        (lambda: Binary([1]), "content must be bytes, not list"),
        (lambda: Binary(b"", 5), "mime_type must be a str or None, not 5 (int)"),
        (lambda: Control(""), "message_type must not be empty"),
        (lambda: Control(None), "message_type must be a str, not None (NoneType)"),
        (lambda: Control("x", {1}), "value: a set is not JSON"),
        (lambda: Control("x", None, 1), "segment_id must be a str or None, not 1 (int)"),
        (
            lambda: Control("x", timestamp_ms=-1),
            "timestamp_ms must be an integer of at least 0, not -1",
        ),
        (lambda: File(""), "path must not be empty or contain NUL: ''"),
        (lambda: File("a\0b"), "path must not be empty or contain NUL: 'a\\x00b'"),
        (lambda: File(5), "path must be a str, not 5 (int)"),
        (lambda: File("a", 5), "filename must be a str or None, not 5 (int)"),
        (lambda: File("a", None, 5), "mime_type must be a str or None, not 5 (int)"),
        (lambda: File("a", size=-1), "size must be an integer of at least 0, not -1"),
        (lambda: File("a", offset=1.0), "offset must be an integer of at least 0, not 1.0"),
        (lambda: File("a", length=True), "length must be an integer of at least 0, not True"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(DataError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("content", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_binary_holds_bytes(content):
    binary = Binary(content, "a/b", 1, "s", {"k": 1})
    assert binary.content == b"ab"
    assert type(binary.content) is bytes
    assert binary.caps_fields() == {"mime_type": "a/b"}
    assert (binary.pts_us, binary.stream_id, binary.metadata) == (1, "s", {"k": 1})


def test_a_changed_bytearray_changes_no_data():
    content = bytearray(b"ab")
    binary = Binary(content)
    content[0] = 0
    assert binary.content == b"ab"


def test_control():
    control = Control("CancelSpeculation", {"a": [1]}, "seg", np.int64(5))
    assert control.value == {"a": [1]}
    assert type(control.timestamp_ms) is int
    assert control.caps_fields() == {}


def test_numpy_integers_of_a_file_become_int():
    file = File("a", size=np.int64(9), offset=np.uint8(1), length=None)
    assert (type(file.size), type(file.offset), file.length) == (int, int, None)


@pytest.mark.parametrize(
    ("path", "filename", "extension"),
    [
        ("/music/a.WAV", None, "wav"),
        ("a.tar.gz", None, "gz"),
        ("/data.v1/file", None, ""),
        ("C:\\data.v1\\a.mp3", None, "mp3"),
        ("/home/.profile", None, ""),
        ("a.", None, ""),
        ("/tmp/upload-17", "speech.flac", "flac"),
    ],
)
def test_extension_of_a_file(path, filename, extension):
    assert File(path, filename, "audio/x").caps_fields() == {
        "mime_type": "audio/x",
        "extension": extension,
    }


def test_packet_is_frozen_and_has_defaults():
    packet = Packet(Text("x"), "node")
    assert (packet.port, packet.sequence, packet.sub_sequence) == ("out", 0, 0)
    assert (packet.timestamp_us, packet.generation) == (0, 0)
    with pytest.raises(AttributeError, match="immutable"):
        packet.node = "other"

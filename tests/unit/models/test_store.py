"""What a reference to a model means, and what is said where it means nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from remotemedia.errors import ModelError, ModelNotFoundError
from remotemedia.models.catalog import CATALOG, KnownModel, ModelFile
from remotemedia.models.store import ModelRef, files_at, how_to_get, packaged_files, sha256_of

DIGEST = "ab" * 32


def test_the_name_of_a_known_model() -> None:
    assert ModelRef.parse("silero-vad") == ModelRef(model=CATALOG["silero-vad"])


@pytest.mark.parametrize("text", ["./silero-vad", "x.onnx", "a/b", "/a/b.onnx"])
def test_a_path(text: str) -> None:
    assert ModelRef.parse(text) == ModelRef(Path(text))


def test_a_url_with_its_digest() -> None:
    found = ModelRef.parse(f"https://a.example/b/c.onnx?x=1#sha256={DIGEST.upper()}").model
    file = ModelFile("c.onnx", DIGEST, "https://a.example/b/c.onnx?x=1")
    assert found == KnownModel("c", (file,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://a.example/c.onnx", "#sha256=…"),
        ("https://a.example/c.onnx#" + DIGEST, "#sha256=…"),
        ("https://a.example/c.onnx#sha256=" + DIGEST[1:], "#sha256=…"),
        ("http://a.example/c.onnx#sha256=" + DIGEST, "https://"),
        ("http://localhost.example/c.onnx#sha256=" + DIGEST, "https://"),
        ("https://a.example/#sha256=" + DIGEST, "of a file"),
        ("https://a.example/..#sha256=" + DIGEST, "of a file"),
        ("file:///etc/passwd#sha256=" + DIGEST, "https://"),
    ],
)
def test_a_url_that_is_refused(text: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        ModelRef.parse(text)
    assert said in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [("silero-vda", "did you mean 'silero-vad'"), ("", "")])
def test_a_name_that_nobody_knows(text: str, said: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        ModelRef.parse(text)
    assert said in str(caught.value)
    assert "silero-vad" in str(caught.value)


def test_files_of_a_path(tmp_path: Path) -> None:
    (tmp_path / "b.onnx").write_bytes(b"b")
    (tmp_path / "a.onnx").write_bytes(b"a")
    (tmp_path / "folder").mkdir()
    assert files_at(tmp_path / "b.onnx") == {"b.onnx": tmp_path / "b.onnx"}
    assert list(files_at(tmp_path)) == ["a.onnx", "b.onnx"]
    for missing in ("folder", "c.onnx"):
        with pytest.raises(ModelNotFoundError) as caught:
            files_at(tmp_path / missing)
        assert str(tmp_path / missing) in str(caught.value)


def model_of(content: bytes, digest: str = "") -> KnownModel:
    digest = digest or hashlib.sha256(content).hexdigest()
    file = ModelFile("m.onnx", digest, "https://a.example/m.onnx", len(content), "carrier/m.onnx")
    return KnownModel("m", (file,), package="carrier-of-m")


def test_a_package_that_carries_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"weights"
    assert packaged_files(model_of(content)) == {}
    info = tmp_path / "carrier_of_m-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier-of-m\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert packaged_files(model_of(content)) == {}
    file = tmp_path / "carrier" / "m.onnx"
    file.parent.mkdir()
    file.write_bytes(content)
    assert packaged_files(model_of(content)) == {"m.onnx": file}
    assert packaged_files(model_of(content, DIGEST)) == {}  # another version of it


def test_digest_and_folder(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert model_of(b"1").folder != model_of(b"2").folder
    assert model_of(b"1").folder.startswith("m-")


def test_how_to_get() -> None:
    said = how_to_get(CATALOG["silero-vad"])
    assert "remotemedia models fetch silero-vad" in said
    assert "pip install --no-deps silero-vad" in said


def test_the_catalog_is_whole() -> None:
    for name, model in CATALOG.items():
        assert name == model.name
        assert model.licence
        assert model.description
        for file in model.files:
            assert file.url or file.path
            if file.url:
                assert ModelRef.parse(f"{file.url}#sha256={file.sha256}").model
            assert file.size > 0
            assert bool(model.package) == bool(file.path)

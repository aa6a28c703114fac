"""``remotemedia web --export``: a folder that serves itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remotemedia.cli.failure import CommandError
from remotemedia_native.web.export import export, headers_file, readme
from remotemedia_native.web.site import Site, find_folder

MANIFEST = b'{"version":"v1","nodes":[]}'


def content(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture
def site(site_folder: Path) -> Site:
    (site_folder / "way-out.txt").unlink()
    return Site(site_folder, MANIFEST)


def test_all_that_the_page_needs(site, tmp_path):
    target = tmp_path / "new" / "out"
    export(site, target)
    made = content(target)
    served = content(site.folder)
    assert made.keys() - served.keys() == {"manifest.json", "_headers", "README.md"}
    assert served.keys() - made.keys() == {".hidden"}
    assert all(made[name] == served[name] for name in made.keys() & served.keys())
    assert made["manifest.json"] == MANIFEST
    assert os.listdir(target.parent) == ["out"]  # nothing is left of the making


def test_an_empty_folder_is_fine(site, tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    export(site, target)
    assert (target / "index.html").is_file()


def test_nothing_is_overwritten(site, tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    for replace in (False, True):
        with pytest.raises(CommandError, match="not empty, and no earlier export"):
            export(site, target, replace=replace)
    assert content(target) == {"thesis.txt": b"years of work"}
    with pytest.raises(CommandError, match="is a file, not a folder"):
        export(site, target / "thesis.txt")


def test_an_earlier_export_is_replaced_when_asked(site, tmp_path):
    target = tmp_path / "out"
    export(site, target)
    (target / "left-over.js").write_text("old")
    with pytest.raises(CommandError, match="--force replaces it"):
        export(site, target)
    export(Site(site.folder, b"{}"), target, replace=True)
    made = content(target)
    assert made["manifest.json"] == b"{}"
    assert "left-over.js" not in made


def test_a_failure_leaves_nothing_behind(site, tmp_path, monkeypatch):
    target = tmp_path / "out"
    export(site, target)
    before = content(target)
    monkeypatch.setattr(
        "remotemedia_native.web.export.readme", lambda *_: (_ for _ in ()).throw(OSError("full"))
    )
    with pytest.raises(OSError, match="full"):
        export(site, target, replace=True)
    assert content(target) == before
    assert sorted(os.listdir(tmp_path)) == ["out", "secret.txt", "site"]


def test_headers_for_netlify_and_cloudflare():
    text = headers_file(isolated=True)
    assert text.startswith("/*\n  Cross-Origin-Resource-Policy: same-origin\n")
    assert "\n  Cross-Origin-Opener-Policy: same-origin\n" in text
    assert "\n  Cross-Origin-Embedder-Policy: require-corp\n" in text
    assert "\n/*.mjs\n  Content-Type: text/javascript; charset=utf-8\n" in text
    assert text.endswith("/assets/*\n  Cache-Control: public, max-age=31536000, immutable\n")
    assert "Opener" not in headers_file(isolated=False)


def test_the_readme_tells_what_fits(site):
    text = readme(isolated=True, has_worker=True)
    assert 'add_header Cross-Origin-Opener-Policy "same-origin" always;' in text
    assert "service-worker.js" in text
    assert "service-worker.js" not in readme(isolated=True, has_worker=False)
    assert "Opener" not in readme(isolated=False, has_worker=True)


def test_the_command(site, tmp_path):
    manifest = tmp_path / "gain.yaml"
    manifest.write_text("{version: v1, nodes: [{id: gain, node_type: Gain}]}")
    arguments = ["-m", "remotemedia", "web", str(manifest), "--export", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "REMOTEMEDIA_WEB_SITE": str(site.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"wrote {tmp_path / 'out'}: ")
    assert b'"node_type":"Gain"' in (tmp_path / "out" / "manifest.json").read_bytes()


def test_where_the_app_is_looked_for(site, monkeypatch):
    monkeypatch.setenv("REMOTEMEDIA_WEB_SITE", str(site.folder))
    assert find_folder() == site.folder


def test_the_app_is_not_built(site, tmp_path, monkeypatch):
    monkeypatch.delenv("REMOTEMEDIA_WEB_SITE", raising=False)
    package = tmp_path / "site-packages" / "remotemedia_native" / "web"
    monkeypatch.setattr("remotemedia_native.web.site.__file__", str(package / "site.py"))
    with pytest.raises(CommandError, match=r"scripts/build_web .* REMOTEMEDIA_WEB_SITE="):
        find_folder()
    carried = package / "site"
    carried.mkdir(parents=True)
    (carried / "index.html").write_text("")
    assert find_folder() == carried

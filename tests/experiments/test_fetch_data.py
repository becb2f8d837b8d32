"""The fetcher of the experiments' microscopy, against a server on this machine."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import io
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def fetcher() -> ModuleType:
    script = EXPERIMENTS / "fetch_data.py"
    if not script.exists():
        pytest.skip("experiments/ is in a clone only")
    spec = importlib.util.spec_from_file_location("fetch_data", script)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@dataclass
class Server:
    """What the server has and does, and what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    """Bytes after which it hangs up."""
    hang: bool = False
    tag: str | None = '"first"'
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            content = state.files.get(self.path)
            if content is None:
                return self.send_error(404)
            if state.hang:
                state.over.wait(10)
                return None
            start, fresh = 0, self.headers.get("If-Range") in (None, state.tag)
            if wanted and fresh and state.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start and start >= len(content):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                end = len(content) - 1
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
            if state.tag:
                self.send_header("ETag", state.tag)
            self.end_headers()
            self.wfile.write(content[start : state.cut])
            return None

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    state.files["/cells.bin"] = CONTENT
    yield state
    state.over.set()
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def remote(fetcher: ModuleType, server: Server) -> Any:
    return fetcher.RemoteFile("set/cells.bin", f"{server.url}/cells.bin", SHA256)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_right_file(fetcher: ModuleType, remote: Any, tmp_path: Path) -> None:
    assert fetcher.fetch(remote, tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == ["cells.bin"]


def test_whole_file_is_not_downloaded_again(
    fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path
) -> None:
    fetcher.fetch(remote, tmp_path)
    fetcher.fetch(remote, tmp_path)
    assert len(server.asked) == 1


def test_other_file_in_its_place_is_refused(
    fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cells.bin").write_bytes(b"mine")
    with pytest.raises(fetcher.NotFetched, match=r"remove it and run this again\.$"):
        fetcher.fetch(remote, tmp_path)
    assert names(tmp_path) == ["cells.bin"]
    assert not server.asked


def test_wrong_hash(fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path) -> None:
    server.files["/cells.bin"] = CONTENT[::-1]
    with pytest.raises(fetcher.NotFetched, match=rf"and not {SHA256}.*was not kept\.$"):
        fetcher.fetch(remote, tmp_path)
    assert names(tmp_path) == []


def test_unknown_hash_is_told(
    fetcher: ModuleType, remote: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetcher.fetch(replace(remote, sha256=None), tmp_path)
    assert f"SHA-256 {SHA256}; no published value was found" in capsys.readouterr().out


def test_truncated_then_resumed(
    fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path
) -> None:
    server.cut = 3000
    with pytest.raises(fetcher.NotFetched, match=r"broke off after 3,000 bytes.*from there\.$"):
        fetcher.fetch(remote, tmp_path)
    assert names(tmp_path) == ["cells.bin.part", "cells.bin.part.version"]
    server.cut = None
    assert fetcher.fetch(remote, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/cells.bin", "bytes=3000-")
    assert names(tmp_path) == ["cells.bin"]


@pytest.mark.parametrize("change", ["new version", "no ranges", "no version", "shorter"])
def test_part_that_cannot_go_on_starts_anew(
    fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path, change: str
) -> None:
    new = CONTENT[::-1] if change != "shorter" else CONTENT[:2000]
    server.tag = None if change == "no version" else server.tag
    server.cut = 3000
    with pytest.raises(fetcher.NotFetched, match="broke off"):
        fetcher.fetch(remote, tmp_path)
    server.cut = None
    server.files["/cells.bin"] = new
    server.tag = '"second"' if change == "new version" else server.tag
    server.ranges = change != "no ranges"
    file = replace(remote, sha256=hashlib.sha256(new).hexdigest())
    assert fetcher.fetch(file, tmp_path).read_bytes() == new


def test_slow_server(fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path) -> None:
    server.hang = True
    with pytest.raises(fetcher.NotFetched, match=r"sent nothing for 0.2 s: run this again"):
        fetcher.fetch(remote, tmp_path, timeout=0.2)
    assert names(tmp_path) == []


def test_moved(fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path) -> None:
    file = replace(remote, url=f"{server.url}/gone")
    with pytest.raises(fetcher.NotFetched, match=r"answers 404 Not Found; look for it at PAGE\.$"):
        fetcher.fetch(file, tmp_path, page="PAGE")
    assert names(tmp_path) == []


def test_no_connection(fetcher: ModuleType, remote: Any, tmp_path: Path) -> None:
    file = replace(remote, url="http://127.0.0.1:9/cells.bin")
    with pytest.raises(fetcher.NotFetched, match=r"^No connection to 127.0.0.1:9 .*run this again"):
        fetcher.fetch(file, tmp_path)


def test_disk_too_small(
    fetcher: ModuleType, remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = fetcher.shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(fetcher.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(fetcher.NotFetched, match="is full: make room and run this again"):
        fetcher.fetch(remote, tmp_path)
    assert names(tmp_path) == []


def test_disk_fills_up(
    fetcher: ModuleType, remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(answer: Any, out: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetcher, "_copy", fill)
    with pytest.raises(fetcher.NotFetched, match="is full: make room and run this again"):
        fetcher.fetch(remote, tmp_path)


def test_half_a_zip_is_not_kept(
    fetcher: ModuleType, remote: Any, server: Server, tmp_path: Path
) -> None:
    server.files["/half.zip"] = zipped({"a.txt": CONTENT})[:200]
    file = fetcher.RemoteFile("half.zip", f"{server.url}/half.zip")
    with pytest.raises(fetcher.NotFetched, match="is not a whole zip file"):
        fetcher.fetch(file, tmp_path)
    assert names(tmp_path) == []


def test_by_hand(fetcher: ModuleType, tmp_path: Path) -> None:
    source = {source.name: source for source in fetcher.SOURCES}["hela-ctc"]
    with pytest.raises(fetcher.NotFetched, match=r"conditions at https://celltracking.* unpack it"):
        fetcher.obtain(source, tmp_path)
    (tmp_path / fetcher.HELA).mkdir(parents=True)
    with pytest.raises(fetcher.NotFetched, match=r"t001\.tif is missing: unpack the training set"):
        fetcher.obtain(source, tmp_path)


def test_command(
    fetcher: ModuleType, remote: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = fetcher.Source("good", "cells", "CC0", "page", (remote,))
    hand = fetcher.Source("hand", "cells", "ask", "page", by_hand=("Ask for {folder}.", "raw"))
    run = ["--to", str(tmp_path)]
    assert fetcher.main([*run, "--list"], (good, hand)) == 0
    assert names(tmp_path) == []
    assert fetcher.main(run, (hand, good)) == 1  # one that is missing does not stop the others
    told = capsys.readouterr()
    assert told.err == f"hand is not there: Ask for {tmp_path / 'raw'}.\n"
    assert "there: set/cells.bin" in told.out
    assert fetcher.main([*run, "good"], (hand, good)) == 0
    with pytest.raises(SystemExit):
        fetcher.main([*run, "bad"], (hand, good))
    assert "no source is called bad: choose from hand, good" in capsys.readouterr().err


def test_sources_are_well_formed(fetcher: ModuleType) -> None:
    files = [file for source in fetcher.SOURCES for file in source.files]
    assert len({source.name for source in fetcher.SOURCES}) == len(fetcher.SOURCES)
    assert len({file.path for file in files}) == len(files)
    for file in files:
        assert file.url.startswith("https://")
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
    for source in fetcher.SOURCES:
        assert bool(source.files) != bool(source.by_hand)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_dsb2018_keeps_bright_nuclei(fetcher: ModuleType, tmp_path: Path) -> None:
    masks = np.zeros((2, 8, 8), np.uint8)
    masks[0, 1:3, 1:3] = masks[1, 5:7, 5:7] = 255
    bright = np.full((8, 8, 4), 10, np.uint8)
    bright[masks.any(0)] = 200
    stained = bright.copy()
    stained[..., 1] = 50
    files = {}
    for name, image in {"a" * 20: bright, "b" * 20: 255 - bright, "c" * 20: stained}.items():
        files[f"{name}/images/{name}.png"] = png(image)
        files |= {f"{name}/masks/m{i}.png": png(mask) for i, mask in enumerate(masks)}
    (tmp_path / "archives").mkdir()
    (tmp_path / fetcher.DSB).write_bytes(zipped(files))
    assert fetcher.convert_dsb2018(tmp_path).startswith("1 frames, whose intensities are NOT those")
    assert names(tmp_path / "nuclei_frames") == ["dsb2018_aaaaaaaaaaaa.tif"]
    image, labels = tifffile.imread(tmp_path / "nuclei_frames" / "dsb2018_aaaaaaaaaaaa.tif")
    assert image.dtype == np.uint16
    assert np.array_equal(image, bright[..., 0])
    assert np.array_equal(labels, masks[0] // 255 + masks[1] // 255 * 2)


def test_nih3t3_pairs_images_and_masks(fetcher: ModuleType, tmp_path: Path) -> None:
    image, mask = np.full((6, 6), 9, np.uint8), np.eye(6, dtype=np.uint8)
    root = "2022-topic-01-team-04-916a/data/Otsu_data/NIH3T3"
    files = {f"{root}/img/dna-7.png": png(image), f"{root}/gt/7.png": png(mask)}
    files[f"{root}/img/dna-8.png"] = png(image)
    (tmp_path / "archives").mkdir()
    (tmp_path / fetcher.NIH3T3).write_bytes(zipped(files))
    assert fetcher.convert_nih3t3(tmp_path).startswith("1 frames")
    found = tifffile.imread(tmp_path / "nuclei_frames" / "NIH3T3_dna-7.tif")
    assert np.array_equal(found, np.stack([image, mask]))


def test_hela_ctc_frames(
    fetcher: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, labels = np.full((5, 5), 3000, np.uint16), np.eye(5, dtype=np.uint16)
    root = tmp_path / fetcher.HELA
    for path, pixels in {"01/t004.tif": image, "01_ST/SEG/man_seg004.tif": labels}.items():
        (root / path).parent.mkdir(parents=True)
        tifffile.imwrite(root / path, pixels)
    monkeypatch.setattr(fetcher, "HELA_FRAMES", {"01": "4"})
    assert fetcher.convert_hela_ctc(tmp_path).startswith("1 frames")
    found = tifffile.imread(tmp_path / "hela_ctc" / "seq01_t004.tif")
    assert np.array_equal(found, np.stack([image, labels]))
    digest = fetcher.intensities((tmp_path / "hela_ctc").glob("*.tif"))
    monkeypatch.setattr(fetcher, "HELA_INTENSITIES", digest)
    assert "are those that" in fetcher.convert_hela_ctc(tmp_path)


def test_hela_20x_movie(fetcher: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / fetcher.MOVIE / "Data" / "0037"
    folder.mkdir(parents=True)
    for t in range(10):
        for channel in ("rfp", "gfp"):
            pixels = np.full((4, 4), t + 100 * (channel == "gfp"), np.uint8)
            tifffile.imwrite(folder / f"tubulin_P0037_T{t + 1:05d}_C{channel}_Z1_S1.tif", pixels)
    assert fetcher.convert_hela_20x(tmp_path) == "one movie, NOT the one that was labelled"
    movie = tifffile.imread(tmp_path / "hela_20x_movie.tif")
    assert movie[:, 0, 0].tolist() == list(range(10))
    (tmp_path / "hela_20x_movie.tif").unlink()
    next(folder.glob("*rfp*")).unlink()
    with pytest.raises(fetcher.NotFetched, match=r"has 9 frames .* and not 10"):
        fetcher.convert_hela_20x(tmp_path)


def test_frames_are_written_as_those_of_the_experiments(
    fetcher: ModuleType, microscopy: Callable[[str], Path], tmp_path: Path
) -> None:
    """The digests of the script are those of the microscopy that the experiments were run on."""
    frames = microscopy("nuclei_frames")
    assert fetcher.intensities(frames.glob("NIH3T3_*.tif")) == fetcher.NIH3T3_INTENSITIES
    path = next(frames.glob("dsb2018_*.tif"))
    fetcher.write_frame(tmp_path / path.name, *tifffile.imread(path))
    assert fetcher.intensities([tmp_path / path.name]) == fetcher.intensities([path])
    for source in fetcher.SOURCES:
        for file in source.files:
            if file.sha256:
                assert fetcher.sha256(microscopy(file.path)) == file.sha256


def test_committed_crops_are_those_of_the_notice(fetcher: ModuleType) -> None:
    crops = EXPERIMENTS / "data" / "mitocheck_crops.npz"
    if not crops.exists():
        pytest.skip("the labelled crops are in a clone only")
    assert fetcher.sha256(crops) in crops.with_name("NOTICE.md").read_text("utf-8")

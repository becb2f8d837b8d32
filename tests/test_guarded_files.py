"""Files of every kind that is no plain file, and JSON that a reader would have to guess at."""

from __future__ import annotations

import os
import re
import socket
import zipfile
from pathlib import Path

import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import (
    check_archive,
    check_growth,
    check_kind,
    one_sentence,
    read_file,
    size_text,
    strict_json,
)

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and links are POSIX's here")


def told(path: Path, most: int = 100, folder: Path | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_file(path, most, folder)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert text.endswith(".")
    return text


def test_a_plain_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert read_file(path, 100) == b"x" * 100
    assert "has 100 bytes; at most 99 bytes are read" in told(path, 99)


@pytest.mark.parametrize(
    ("n", "text"), [(7, "7 bytes"), (4 * 2**20, "4 MiB"), (20 * 2**30, "20 GiB"), (1536, "1.5 KiB")]
)
def test_sizes_to_read(n: int, text: str) -> None:
    assert size_text(n) == text


def test_a_sparse_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**30)
    assert "has 1 GiB" in told(tmp_path / "a")


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "is a folder, where a plain file is expected" in told(tmp_path)
    assert "is missing" in told(tmp_path / "none")
    assert "cannot be read" in told(tmp_path / ("n" * 300))


@posix
def test_a_pipe_a_socket_and_a_device_are_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in told(tmp_path / "pipe")  # it would wait for ever
    assert "is a device" in told(Path("/dev/zero"))  # and this would never end
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    assert "is a socket" in told(tmp_path / "socket")


@posix
def test_a_pipe_is_read_where_it_will_do(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert check_kind(tmp_path / "pipe", "a table", pipes=True).st_size == 0
    with pytest.raises(InvalidInput, match="pipe is a pipe, where an archive is expected"):
        check_archive(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="/dev/zero is a device, where a table is expected"):
        check_kind("/dev/zero", "a table", pipes=True)


@posix
def test_links_stay_in_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "model"
    inside.mkdir()
    (tmp_path / "secret").write_text("s")
    (inside / "real").write_text("r")
    (inside / "good").symlink_to("real")
    (inside / "bad").symlink_to(tmp_path / "secret")
    (inside / "loop").symlink_to("loop")
    assert read_file(inside / "good", 9, inside) == b"r"
    assert read_file(inside / "bad", 9) == b"s", "where no folder is named"
    assert "is a link out of its folder" in told(inside / "bad", 9, inside)
    assert "a link that leads to itself" in told(inside / "loop", 9, inside)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "X gives 'c' twice."),
        (b'{"a": NaN}', "X holds NaN, which is no number."),
        (b"[-Infinity]", "X holds -Infinity, which"),
        (b'["\\ud800"]', "half a character"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"\xff", "no text in UTF-8"),
        ("{}".encode("utf-16"), "no text in UTF-8"),
        (b'["a\0b"]', "X is no JSON (Invalid control character"),
        (b"", "X is no JSON (Expecting value"),
        (b"[" + b"9" * 5000 + b"]", "X is no JSON (Exceeds the limit"),
    ],
)
def test_json_is_read_strictly(data: bytes, fault: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(fault)):
        strict_json(data, "X")


def test_sound_json_is_read() -> None:
    assert strict_json(b'\xef\xbb\xbf{"a": [1, "\\ud83d\\ude00", null]}', "X") == {
        "a": [1, "😀", None]
    }


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (IndexError("too many\nindices"), r"a.h5 cannot be read as cells \(too many\); copy"),
        (KeyError(), r"cannot be read as cells \(KeyError\)"),
        (MemoryError(), "needs more memory than there is"),
    ],
)
def test_whatever_a_reader_raises_is_one_sentence(fault: Exception, told: str) -> None:
    with pytest.raises(InvalidInput, match=told), one_sentence("a.h5", "cells"):
        raise fault


def test_what_grows_without_measure_is_refused(tmp_path: Path) -> None:
    check_growth("a", 2**30, 1)
    check_growth("a", 2**34, 2**30)
    with pytest.raises(InvalidInput, match="has 1 KiB and asks for 4 GiB"):
        check_growth("a", 2**32, 2**10)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"b")
    check_archive(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="encrypted"):
        check_archive(path)

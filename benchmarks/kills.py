"""Kill commands at random times, and count what is lost, left behind or left running.

``python -m benchmarks.kills --kills 40 --seed 0`` starts commands on a small simulated movie, kills
each with SIGKILL or SIGTERM after a random part of the time it takes, and starts it again. It
counts tracebacks, exit codes other than those of the signals, processes that live 5 s after the
kill, commands that fail after one, results that then differ from those of a command that nobody
killed, and files that are left when the next command is done. A command that ended before its kill
came is no kill: another is begun.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from mutations.shipped import make_movie  # noqa: E402

COMMANDS: dict[str, tuple[list[str], str]] = {
    "classify": (["classify", "movie.tif", "--tracks", "tracks.csv", "--diameter", "28"], "o.csv"),
    "attack": (["attack", "movie.tif", "--tracks", "tracks.csv", "--diameter", "28"], "attack"),
    "train": (
        ["train", "--image", "movie.tif", "--cells", "tracks.csv", "--diameter", "28",
         "--recipe", "recipe.toml", "--engine", "operon"],
        "mine",
    ),
    "train-encoder": (
        ["train-encoder", "--frames", "movie.tif", "--centroids", "tracks.csv", "--diameter", "28",
         "--epochs", "2", "--batch", "16"],
        "run",
    ),
}  # fmt: skip

RESULTS = (".csv", ".safetensors")
"""Files whose bytes are those of a result."""

RECIPE = """
folds = 2
augmented = 1
rotations = 1
curve = false
[dense]
steps = 30
[sparse]
steps = 60
restarts = 1
[search]
generations = 5
"""


def files_of(folder: Path) -> None:
    """Write a movie, its labelled cells, and a recipe that is done in seconds."""
    make_movie(folder, shape=(8, 160, 300), cells=14, dividing=1)
    (folder / "recipe.toml").write_text(RECIPE)


def marked(mark: str) -> list[int]:
    """Processes that have a mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def main() -> None:
    """Run the kills, and print what was counted as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=40)
    asked.add_argument("--seconds", type=float, default=3600, help="Begin no kill after these.")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--folder", type=Path, default=None)
    asked.add_argument("--only", choices=COMMANDS, action="append")
    args = asked.parse_args()
    root = Path(tempfile.mkdtemp(prefix="kills-", dir=args.folder))
    scratch = root / "tmp"
    scratch.mkdir()
    files_of(root)
    draw = random.Random(args.seed)
    names = args.only or list(COMMANDS)
    mark = f"KILLS={root.name}"
    env = {**os.environ, "TMPDIR": str(scratch), "KILLS": root.name}

    def start(name: str) -> subprocess.Popen[str]:
        words, out = COMMANDS[name]
        more = (
            ["--resume"]
            if name == "train-encoder" and (root / out / "settings.json").exists()
            else []
        )
        line = [sys.executable, "-m", "napari_interpdisc.cli", *words, "--out", out, *more]
        return subprocess.Popen(
            line, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def clear(name: str) -> None:
        out = root / COMMANDS[name][1]
        shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
        out.with_suffix(".json").unlink(missing_ok=True)

    def digest(name: str) -> str:
        """Hash of the tables and weights of a result."""
        out = root / COMMANDS[name][1]
        files = sorted(out.rglob("*")) if out.is_dir() else [out]
        found = hashlib.sha256()
        for file in files:
            # the log of an encoder's training tells seconds too
            if file.suffix in RESULTS and name + file.suffix != "train-encoder.csv":
                found.update(file.name.encode() + file.read_bytes())
        return found.hexdigest()

    takes: dict[str, float] = {}
    whole: dict[str, str] = {}
    for name in names:
        began = time.monotonic()
        process = start(name)
        _, err = process.communicate()
        if process.returncode:
            raise SystemExit(f"{name} does not work here: {err}")
        takes[name] = time.monotonic() - began
        whole[name] = digest(name)
        clear(name)
    inputs = {p.name for p in root.iterdir()}
    counted = dict.fromkeys(
        ("kills", "too_late", "tracebacks", "wrong_codes", "orphans", "failed_after", "differ",
         "debris"), 0
    )  # fmt: skip
    end = time.monotonic() + args.seconds
    while counted["kills"] < args.kills and time.monotonic() < end:
        name = names[counted["kills"] % len(names)]
        sent = signal.SIGTERM if draw.random() < 0.3 else signal.SIGKILL
        process = start(name)
        try:
            process.wait(draw.uniform(0.1, 1) * takes[name])
            counted["too_late"] += 1
            takes[name] *= 0.9  # the machine is less busy than it was
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
            counted["kills"] += 1
        _, err = process.communicate()
        counted["tracebacks"] += "Traceback" in err
        counted["wrong_codes"] += process.returncode not in (0, 143, -sent)
        deadline = time.monotonic() + 5
        while (left := marked(mark)) and time.monotonic() < deadline:
            time.sleep(0.1)
        counted["orphans"] += len(left)
        if name != "train-encoder" and (root / COMMANDS[name][1]).exists():
            # it was done, and killed as it ended
            counted["differ"] += digest(name) != whole[name]
        if name != "train-encoder" or process.returncode == 0:
            clear(name)
        again = start(name)
        _, err = again.communicate()
        if again.returncode and "is finished" in err:
            pass  # it was done, and killed as it ended
        elif again.returncode:
            counted["failed_after"] += 1
            print(f"{name} after a kill: {err}", file=sys.stderr)
        elif digest(name) != whole[name]:
            counted["differ"] += 1
            print(f"{name} after a kill has another result", file=sys.stderr)
        clear(name)
        debris = {p.name for p in root.iterdir()} - inputs | {p.name for p in scratch.iterdir()}
        if debris:
            counted["debris"] += len(debris)
            print(f"{name} left {sorted(debris)}", file=sys.stderr)
            for path in debris:
                gone = root / path if (root / path).exists() else scratch / path
                shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    print(json.dumps({"seed": args.seed, "commands": takes, **counted}))
    shutil.rmtree(root)


if __name__ == "__main__":
    main()

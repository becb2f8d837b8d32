"""A worker for tests: does what its request says, with the standard library alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

folder = Path(sys.argv[1])
request = json.loads((folder / "request.json").read_text())


def note(**more: object) -> None:
    """Write down who this is, whole at once: a test waits for the file."""
    told = {"pid": os.getpid(), "folder": str(folder), **more}
    partial = Path(request["note"] + ".partial")
    partial.write_text(json.dumps(told))
    partial.replace(request["note"])


if "note" in request and request["do"] != "hang":
    note()


def say(text: str) -> None:
    print(text, flush=True)


match request["do"]:
    case "answer":
        say("Julia says: Precompiling project...")
        say('{"progress": 1, "of": 2}')
        say("[1, 2")
        say("[1, 2]")
        say('{"unknown": 1}')
        say('{"progress": 2, "of": 2}')
        say(json.dumps({"result": [{"expression": "z0", "size": 1, "loss": 0.5}]}))
    case "fault":
        say(json.dumps({"fault": request["kind"], "message": "line one\nline two"}))
    case "words":
        say("ERROR: LoadError in line 3")
        sys.exit(3)
    case "silence":
        sys.exit(0)
    case "signal":
        os.kill(os.getpid(), getattr(signal, request["signal"]))
        time.sleep(60)
    case "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(child=child.pid)
        say('{"progress": 0, "of": 9}')
        time.sleep(600)

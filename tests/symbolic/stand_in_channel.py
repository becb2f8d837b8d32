"""A worker for tests that answers through the channel, while its engine prints as it likes."""

import os
import sys
import time
from pathlib import Path

from napari_interpdisc.symbolic.channel import main_channel

channel = main_channel()
match channel.request["do"]:
    case "answer":
        print("Julia says: Precompiling project...", flush=True)
        os.system('echo \'{"progress": 9, "of": 9}\'')
        channel.progress(1, 2)
        print("[1, 2", flush=True)
        channel.result([{"expression": "z0", "note": "β ≥ 0"}])
    case "fault":
        channel.fault("missing", "no Julia")
    case "parent":  # start a worker of one's own, and wait to be ended
        import subprocess

        Path(channel.folder, "request.json").write_text('{"do": "hang"}')
        subprocess.Popen([sys.executable, __file__, str(channel.folder)])
        time.sleep(600)
    case "hang":
        Path(channel.folder, "pid").write_text(f"{os.getpid()}\n")
        time.sleep(600)

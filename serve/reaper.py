"""Runs one command and ends its whole process group when standard input closes.

The server holds the other end of that pipe. However the server ends, `kill -9` included, the pipe closes, and the
engine with all its workers goes too. Usage: python -m serve.reaper COMMAND...
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

_GRACE_S = 5.0


def main() -> None:
    """Run until the command ends; never returns, since this process is in the group it kills."""
    # A handler, not SIG_IGN: the command must not inherit deafness to SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: None)
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_when_orphaned, daemon=True).start()
    status = child.wait()
    print(f"the engine's process ended with status {status}", file=sys.stderr, flush=True)
    # Whatever workers it left have nobody to serve.
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _end_when_orphaned() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(os.getpgrp(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()

"""The program as a process of its own, which ends when the one that has started it does: `python -m impasto._child FOLDER …`.

Whoever starts it keeps its standard input open, and nothing is ever written there. Where that ends, nobody waits any more: the
run stops after its step, as at Ctrl-C, and the folder of what was handed over goes. That is so however the other process
ended, SIGKILL included.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading

from . import _impasto

# The status of a program that Ctrl-C has ended, as shells have it.
_STOPPED = 130


def _watch(folder: str) -> None:
    while os.read(0, 1):
        pass
    if not _impasto.stop():
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(_STOPPED)


def main(folder: str, *arguments: str) -> int:
    """Is the program; `folder` is removed after it, if it is none of an empty name."""
    if hasattr(signal, "pthread_sigmask"):
        # Signals are the program's, which listens on a thread of its own: the one that is started here must not take any.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    threading.Thread(target=_watch, args=(folder,), daemon=True).start()
    status = _impasto.program(["impasto", *arguments])
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

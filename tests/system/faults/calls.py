"""System calls that fail, by strace.

libfiu was tried: its remote control answers by the very calls that are to fail, and a process that
was forked, such as the reader, has none.
"""

import contextlib
import errno
import shutil
import subprocess

from tests.system.faults.processes import Who
from tests.system.faults.scene import Does, Scene


def without_strace() -> str:
    return "" if shutil.which("strace") else "strace is not installed"


def failing(who: Who, calls: str, error: int) -> Does:
    """The first such call of each thread of a process fails, and each twentieth after it."""

    @contextlib.contextmanager
    def done(scene: Scene):
        (pid,) = who(scene)
        inject = f"inject={calls}:error={errno.errorcode[error]}:when=1+20"
        words = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject]
        tracer = subprocess.Popen([*words, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        try:
            assert "attached" in tracer.stderr.readline()
            yield
        finally:
            tracer.terminate()
            tracer.wait(30)
            tracer.stderr.close()

    return done

"""System calls that fail: of the web server by libfiu, of the reader by strace.

libfiu's remote control is a thread, which a forked process such as the reader does not have.
"""

import contextlib
import errno
import shutil
import subprocess
import threading

from tests.system.faults.processes import READER, WEB
from tests.system.faults.scene import Does, Scene

EVERY_SECONDS = 0.3


def without_strace() -> str:
    return "" if shutil.which("strace") else "strace is not installed"


def of_web(name: str, error: int) -> Does:
    """One call of the web server fails, several times a second.

    name: as libfiu calls it, such as "posix/io/rw/write".
    """

    @contextlib.contextmanager
    def done(scene: Scene):
        ended = threading.Event()

        def fail() -> None:
            while not ended.wait(EVERY_SECONDS):
                _control(scene, f"enable name={name},onetime,failnum=1,failinfo={error}")

        thread = threading.Thread(target=fail)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            _control(scene, f"disable name={name}")

    return done


def _control(scene: Scene, command: str) -> None:
    (web,) = WEB(scene)
    prefix = scene.site.settings["FIU_CTRL_FIFO"]
    subprocess.run(["fiu-ctrl", "-f", prefix, "-c", command, str(web)], check=True, timeout=20)


def of_reader(calls: str, error: int) -> Does:
    """The first such call of each of the reader's threads fails, and each twentieth after it."""

    @contextlib.contextmanager
    def done(scene: Scene):
        (reader,) = READER(scene)
        failing = f"inject={calls}:error={errno.errorcode[error]}:when=1+20"
        words = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e", failing]
        tracer = subprocess.Popen([*words, "-p", str(reader)], stderr=subprocess.PIPE, text=True)
        try:
            assert "attached" in tracer.stderr.readline()
            yield
        finally:
            tracer.terminate()
            tracer.wait(30)
            tracer.stderr.close()

    return done

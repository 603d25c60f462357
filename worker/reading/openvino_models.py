"""Keras models on processors: converted to OpenVINO's format once, and run without Keras.

A model is converted in a process of its own, whose memory goes with it; the result is kept in a
folder, so that the next process that reads only loads it.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import types
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import openvino

from worker.arrays import Floats, Pixels, Probabilities
from worker.reading.bundle import ModelError, checked_sha256
from worker.reading.networks import CLASSES, FULL

# Each is compiled for itself: shapes that are known beforehand are faster. The sizes share little
# more than 30 MB.
BATCH_SIZES = (64, 16, 4, 1)
# More than two thirds of these sizes take longer in smaller batches than with blank images to the
# full size: 15 digits took 3.5 ms as 4, 4, 4, 1, 1, 1, and 2.6 ms as 16, on two cores with AVX-512.
PADDED = (16, 4)
OF_STUDENT = "student-"  # how the names of its files begin
KEPT = 8  # converted models in a folder; older ones are deleted
CONVERT_SECONDS = 120
# The compiler's own choice on processors without AMX, bfloat16, is slower and less exact there.
OPTIONS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
    # Several processes share the cores: each would take the first ones.
    "ENABLE_CPU_PINNING": False,
}
# What takes less than a millisecond is not divided: threads look out for more work for longer than
# that, and take the processor from others. A student, and the model for one digit, take as long in
# one thread; a site answered 6 % more uploads a second at 64 connections.
ONE_THREAD = {"INFERENCE_NUM_THREADS": 1}
SMALL = 4


class _Compiled:
    """A converted model, compiled for this processor and for a few batch sizes."""

    runtime = "openvino"

    def __init__(self, converted: Path, prefix: str = "") -> None:
        """Compile the files of this folder whose names begin so.

        Raises:
            RuntimeError: they are damaged.
        """
        core = _core()
        self._compiled = {
            size: core.compile_model(
                converted / f"{prefix}{size}.xml",
                "CPU",
                OPTIONS | (ONE_THREAD if prefix or size <= SMALL else {}),
            )
            for size in BATCH_SIZES
        }
        self._own = threading.local()  # a request serves one call at a time

    def __call__(self, images: Pixels) -> Probabilities:
        """Return the probabilities for images: uint8, as the model takes them but for the scale."""
        read = np.empty((len(images), CLASSES), np.float32)
        for start, end, size in _division(len(images)):
            request, pixels, rows = self._request(size)
            count = end - start
            # As worker.reading.networks.scaled, into the tensor.
            np.divide(images[start:end], FULL, out=pixels[:count])
            pixels[count:] = 0
            request.infer()
            read[start:end] = rows[:count]
        return read

    def _request(self, size: int) -> tuple[openvino.InferRequest, Floats, Floats]:
        """Return this thread's request for a size, with its input and its output."""
        requests: dict[int, tuple[openvino.InferRequest, Floats, Floats]]
        requests = self._own.__dict__.setdefault("requests", {})
        if size not in requests:
            one = self._compiled[size].create_infer_request()
            # Tensors that stay save the wrapper's look at each input.
            requests[size] = one, one.get_input_tensor().data, one.get_output_tensor().data
        return requests[size]


@cache
def _core() -> openvino.Core:
    """Return the one Core of this process, which is never freed.

    Each Core gives its thread a stack for signal handlers, and frees it with itself. After a second
    one was freed the thread could be left with memory that is none, and the next signal ended the
    process.

    Source: https://github.com/openvinotoolkit/openvino/pull/11894
    """
    return openvino.Core()


@lru_cache(1024)
def _division(count: int) -> list[tuple[int, int, int]]:
    """Return the batches for so many images: the first, the one after the last, and the size."""
    batches, start = [], 0
    for size in BATCH_SIZES:
        while count - start >= size:
            batches.append((start, start + size, size))
            start += size
        if size in PADDED and count - start > size * 2 / 3:
            return [*batches, (start, count, size)]
    return batches


class OpenVINONetwork(_Compiled):
    """A model of a .keras file, converted and compiled, with its student if it has one."""

    def __init__(
        self,
        path: Path,
        image: tuple[int, int, int],
        sha256: str | None = None,
        folder: Path | None = None,
    ) -> None:
        """Compile a .keras file.

        Args:
            path: the file.
            image: the shape of an image that it takes.
            sha256: of the file, where it is known.
            folder: where converted models are kept; by default, the user's folder for caches.

        Raises:
            ModelError: the file is missing, does not have this SHA-256, or is not such a model.
        """
        sha256, folder = checked_sha256(path, sha256), folder or cache_folder()
        with contextlib.ExitStack() as stack:
            converted = _converted(path, image, sha256, folder, stack)
            try:
                self._compile(converted)
            except RuntimeError:  # the kept files are damaged
                _delete(converted)
                converted = _converted(path, image, sha256, folder, stack)
                try:
                    self._compile(converted)
                except RuntimeError as error:
                    raise ModelError(f"the model in {path.name} cannot be used: {error}") from error

    def _compile(self, converted: Path) -> None:
        super().__init__(converted)
        has_student = (converted / f"{OF_STUDENT}{BATCH_SIZES[0]}.xml").exists()
        self.student = _Compiled(converted, OF_STUDENT) if has_student else None


def _converted(
    path: Path,
    image: tuple[int, int, int],
    sha256: str,
    folder: Path,
    stack: contextlib.ExitStack,
) -> Path:
    """Return the folder with a model in OpenVINO's format, which is made where it is missing."""
    versions = [importlib.metadata.version(name) for name in ("keras", "openvino")]
    name = "-".join([sha256[:32], *versions, *map(str, BATCH_SIZES)])
    kept = folder / name
    if kept.is_dir():
        with contextlib.suppress(OSError):
            os.utime(kept)
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    except OSError:  # nothing can be kept here
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _convert(path, image, temporary)
        return temporary
    try:
        _convert(path, image, draft)
        with contextlib.suppress(OSError):  # another process was faster
            draft.rename(kept)
    finally:
        _delete(draft)
    for old in sorted(folder.glob("[0-9a-f]*-*"), key=lambda one: -one.stat().st_mtime)[KEPT:]:
        _delete(old)
    return kept


def cache_folder() -> Path:
    """Return this user's folder for what can be made again, by the XDG Base Directory rules."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".cache") / "digits"


def _delete(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def _convert(path: Path, image: tuple[int, int, int], folder: Path) -> None:
    words = ["-m", "worker.reading.openvino_models", str(path), str(folder), *map(str, image)]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"KERAS_BACKEND": "openvino", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=CONVERT_SECONDS,
        check=False,
    )
    if done.returncode == REFUSED:
        raise ModelError(done.stdout.strip())
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise ModelError(
            f"the model file {path.name} cannot be converted:"
            f" {lines[-1] if lines else f'exit status {done.returncode}'}"
        )


def _let_scipy_be_missing() -> None:
    """Let Keras be imported without SciPy, which is a fifth of what a worker would install.

    Its backend for OpenVINO takes the windows of Fourier transforms from there, which no model of
    digits has; it imports the module all the same.
    """
    if importlib.util.find_spec("scipy") is None:
        for name in ("scipy", "scipy.signal"):
            sys.modules[name] = types.ModuleType(name)


REFUSED = 3  # the exit status of a conversion whose file is no such model


def main() -> int:
    """Convert a .keras file: PATH FOLDER HEIGHT WIDTH CHANNELS."""
    _let_scipy_be_missing()
    import keras

    from worker.reading import keras_models

    path, folder, image = Path(sys.argv[1]), Path(sys.argv[2]), tuple(map(int, sys.argv[3:]))
    try:
        model = keras_models.load(path, None, image)  # type: ignore[arg-type]  # three numbers
        student = keras_models.load_student(path)
    except ModelError as error:
        print(error)
        return REFUSED
    networks = {"": model} if student is None else {"": model, OF_STUDENT: student}
    for prefix, network in networks.items():
        for size in BATCH_SIZES:
            spec = keras.InputSpec(shape=(size, *image), dtype="float32")
            file = str(folder / f"{prefix}{size}.xml")
            network.export(file, format="openvino", verbose=False, input_signature=[spec])
    return 0


if __name__ == "__main__":
    sys.exit(main())

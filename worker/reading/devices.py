"""Pin a process to one GPU or to the CPU."""

import contextlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from worker.metrics import BackendVersion

ENGINES = ("auto", "tensorflow", "openvino")
_pinned_to: str | None = None  # the GPU of this process


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


def runtime() -> str:
    """Return what computes a model in this process: "openvino" or "tensorflow".

    ENGINE in the environment names it. By default it is TensorFlow where the process is pinned to
    a GPU, and OpenVINO on processors where it is installed.

    Raises:
        DeviceError: ENGINE is another word.
    """
    chosen = os.environ.get("ENGINE", "auto") or "auto"
    if chosen not in ENGINES:
        raise DeviceError(f'expected ENGINE to be one of {ENGINES}, received "{chosen}"')
    if chosen != "auto":
        return chosen
    on_processor = _pinned_to is None and importlib.util.find_spec("openvino") is not None
    return "openvino" if on_processor else "tensorflow"


def pin(index: int, gpus: list[str]) -> str | None:
    """Let this process see one GPU of those given, or none. Call it before Keras is imported.

    Args:
        index: the process's number in its pool, from 0.
        gpus: the GPUs as CUDA numbers them (or their UUIDs); empty means the CPU.

    Returns:
        The GPU that the process is pinned to; None for the CPU.
    """
    global _pinned_to
    chosen = _pinned_to = gpus[index % len(gpus)] if gpus else None
    visible = "-1" if chosen is None else chosen
    if "tensorflow" in sys.modules:
        if os.environ.get("CUDA_VISIBLE_DEVICES") == visible:
            return chosen  # it is pinned so already
        raise DeviceError("a process must be pinned before TensorFlow is imported")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    os.environ["CUDA_VISIBLE_DEVICES"] = visible
    return chosen


def spare_threads() -> None:
    """Let OpenCV work in one thread of this process.

    In small images its threads find nothing to do, and look for it for longer than all takes: the
    ink of a 28x28 image cost twice the processor's time, and that of a photo 6 % more.
    """
    import cv2

    cv2.setNumThreads(1)


def pin_all(gpus: list[str]) -> None:
    """Let this process see all of these GPUs, or none. Call it before Keras is imported."""
    pin(0, [",".join(gpus)] if gpus else [])


def training_scope() -> contextlib.AbstractContextManager[object]:
    """Return the context to build and train a model in: on all GPUs, where there are several."""
    if count_gpus() < 2:
        return contextlib.nullcontext()
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        scope: contextlib.AbstractContextManager[object] = tf.distribute.MirroredStrategy().scope()
    else:
        scope = keras.distribution.DataParallel().scope()
    return scope


def load_backend() -> None:
    """Import Keras and its backend; TensorFlow takes GPU memory as it needs it, not all at once."""
    with _quiet_unless_it_fails():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # Before the first tensor: after it, TensorFlow refuses the setting.
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
        keras.ops.zeros(1)


@contextlib.contextmanager
def _quiet_unless_it_fails() -> Iterator[None]:
    """Keep back what TensorFlow's C++ part writes to stderr at its import, unless that fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            yield
        except BaseException:
            output.seek(0)
            os.write(kept, output.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def describe(pinned: str | None) -> str:
    """Return where this process really computes: "GPU 1", or "CPU" and why."""
    if pinned is None:
        return "CPU"
    return f"GPU {pinned}" if count_gpus() else f"CPU (GPU {pinned} cannot be used)"


def backend_version() -> BackendVersion:
    """Return the version of Keras's backend under its name, as {"tensorflow": "2.21.0"}."""
    import keras

    name = keras.backend.backend()
    version = {name: importlib.metadata.version(name)}
    return cast("BackendVersion", version)  # its one key is the name of a backend


def count_gpus() -> int:
    """Count the GPUs that Keras's backend can use in this process."""
    load_backend()
    import keras

    return len(keras.distribution.list_devices("gpu"))


def fast_precision() -> str:
    """Return the Keras dtype policy that trains fastest here; bfloat16 needs hardware support."""
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text() if cpu.exists() else ""
    return "mixed_bfloat16" if count_gpus() or "avx512_bf16" in flags else "float32"


def require_gpu(gpus: list[str]) -> None:
    """Check, in a process of its own, that each of these GPUs can be used.

    The caller is left without TensorFlow, so it may fork afterwards.

    Raises:
        DeviceError: no GPU is given, or the backend finds fewer than given.
    """
    if not gpus:
        raise DeviceError("REQUIRE_GPU is set, but GPUS names none (for example GPUS=0)")
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    probe = subprocess.run(
        [sys.executable, "-m", "worker.reading.devices"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = int(probe.stdout.split()[-1]) if probe.returncode == 0 and probe.stdout.split() else 0
    if found < len(gpus):
        raise DeviceError(
            f"REQUIRE_GPU is set, but of the GPUs {','.join(gpus)} only {found} can be used"
        )


if __name__ == "__main__":
    print(count_gpus())

"""A process is pinned to one GPU of those given, or to the CPU, before TensorFlow is imported."""

import subprocess
import sys

import pytest

from tests.site import ROOT, environment
from worker.reading.devices import DeviceError, require_gpu


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("index", "gpus", "visible"),
    [
        (0, ["0", "1"], "0"),
        (1, ["0", "1"], "1"),
        (2, ["0", "1"], "0"),
        (1, ["GPU-a"], "GPU-a"),
        (0, [], "-1"),
    ],
)
def test_process_i_sees_gpu_i(index, gpus, visible):
    done = python(
        f"import os; from worker.reading.devices import pin; pin({index}, {gpus});"
        "print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['CUDA_DEVICE_ORDER'])"
    )
    assert done.stdout.split() == [visible, "PCI_BUS_ID"]


def test_it_is_too_late_after_tensorflow_is_imported():
    done = python("import tensorflow; from worker.reading.devices import pin; pin(0, [])")
    assert "must be pinned before TensorFlow is imported" in done.stderr


def test_it_reports_where_it_really_computes():
    done = python(
        "from worker.reading import devices;"
        "pinned = devices.pin(0, ['77']); devices.load_backend();"
        "print(devices.describe(None), '|', devices.describe(pinned))"
    )
    assert done.stdout.strip() == "CPU | CPU (GPU 77 cannot be used)"
    assert done.stderr == ""


def test_a_required_gpu_must_be_named_and_be_there():
    with pytest.raises(DeviceError, match="GPUS names none"):
        require_gpu([])
    with pytest.raises(DeviceError, match="of the GPUs 77,78 only 0 can be used"):
        require_gpu(["77", "78"])


def test_memory_growth_is_set_before_tensorflow_computes():
    """TensorFlow refuses it afterwards; a device that is added by hand stands for the GPU."""
    done = python(
        "import tensorflow as tf\n"
        "from tensorflow.python.eager import context\n"
        "running = context.context()\n"
        "running._initialize_physical_devices()\n"
        "gpu = context.PhysicalDevice(name='/physical_device:GPU:0', device_type='GPU')\n"
        "running._physical_devices.append(gpu)\n"
        "tf.config.set_visible_devices(tf.config.list_physical_devices('CPU'))\n"
        "from worker.reading import devices\n"
        "devices.load_backend()\n"
        "print(tf.config.experimental.get_memory_growth(gpu))\n"
    )
    assert done.stdout.strip() == "True", done.stderr

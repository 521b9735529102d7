"""``python -m nengo_dl``: what a report of a problem should say about the machine.

Nothing in here may fail: a broken installation is what it has to describe.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Iterator

from nengo_dl.version import version

#: distributions that a simulation depends on
_PACKAGES = ("nengo", "tensorflow", "keras", "numpy", "scipy")


def report() -> Iterator[tuple[str, str]]:
    """Yield what there is to say, line by line.

    Yields
    ------
    name, value : str
        The version of NengoDL, Python and the libraries, the platform, TensorFlow's
        devices, whether XLA compiles on each of them, and how Python code is called
        while a simulation runs.
    """
    yield "nengo_dl", version
    for name in _PACKAGES:
        yield name, _version_of(name)
    yield "python", platform.python_version()
    yield "platform", platform.platform()
    yield "CUDA", _told(_cuda)
    yield "devices", _told(_devices)
    yield "XLA", _told(_xla)
    yield "Python code", _told(_python_code)


def main() -> None:
    """Print the report."""
    for name, value in report():
        print(f"{name:12s} {value}", flush=True)


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        # TensorFlow has other distributions for some machines, tensorflow-cpu for one
        module = sys.modules.get(package)
        return str(getattr(module, "__version__", "not installed under this name"))


def _told(question: Callable[[], str]) -> str:
    """Return the answer to a question, or why there is none."""
    try:
        return question()
    except Exception as error:
        return f"failed: {type(error).__name__}: {str(error).strip()}".splitlines()[0]


def _cuda() -> str:
    """Return what TensorFlow was built with."""
    import tensorflow as tf

    built = tf.sysconfig.get_build_info()
    if not built.get("is_cuda_build"):
        return "TensorFlow was built without it"
    return (
        f"TensorFlow was built with CUDA {built.get('cuda_version')}, "
        f"cuDNN {built.get('cudnn_version')}"
    )


def _devices() -> str:
    """Return the names of devices, and what kind of GPU each GPU is."""
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices():
        name = device.name.removeprefix("/physical_device:")
        if device.device_type == "GPU":
            kind = tf.config.experimental.get_device_details(device)
            name += f" ({kind.get('device_name', 'of unknown kind')})"
        found.append(name)
    if not any(name.startswith("GPU") for name in found):
        found.append("no GPU that TensorFlow can use")
    return ", ".join(found)


def _xla() -> str:
    """Compile something small on each device; return where that worked."""
    import tensorflow as tf

    # a new function for each call, because compiled ones are kept
    def compiles(device: str) -> str:
        twice = tf.function(lambda x: 2.0 * x, jit_compile=True)
        with tf.device(device):
            correct = bool(tf.reduce_all(twice(tf.ones(3)) == 2.0))
        return "compiles" if correct else "computes wrong numbers"

    devices = tf.config.list_logical_devices()
    return ", ".join(
        f"{device.name.removeprefix('/device:')}: "
        f"{_told(lambda name=device.name: compiles(name))}"  # type: ignore[misc]
        for device in devices
        if device.device_type in ("CPU", "GPU")
    )


def _python_code() -> str:
    """Return how Nodes' functions are called on CPUs."""
    from nengo_dl.program import callback

    if callback.available("/cpu:0"):
        return "called from inside compiled loops on CPUs"
    return "called between compiled steps (TensorFlow exports no door for it)"


if __name__ == "__main__":
    main()

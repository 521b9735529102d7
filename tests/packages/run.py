"""Try another package beside this one, in an environment of its own.

    python tests/packages/run.py keras-lmu [pytest arguments ...]

for ``keras-lmu``, ``litert``, ``nengo-extras``, ``nengo-gui``, ``nengo-loihi``,
``onnx``, ``ray`` or ``snntorch`` (with Norse and Spyx, for NIR): not among what the
tests of this project need.
``tox run -e keras-lmu`` makes an environment with one of them and runs this.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

#: the module that each package has, and what is tried of it
PACKAGES = {
    "keras-lmu": ("keras_lmu", "lmu_programs.py"),
    "litert": ("ai_edge_litert", "litert_programs.py"),
    "nengo-extras": ("nengo_extras", "extras_programs.py"),
    "nengo-gui": ("nengo_gui", "gui_programs.py"),
    "nengo-loihi": ("nengo_loihi", "loihi_programs.py"),
    "onnx": ("onnxruntime", "onnx_programs.py"),
    "ray": ("ray", "ray_programs.py"),
    "snntorch": ("snntorch", "nir_programs.py"),
}


def main(arguments):
    """Run the programs of the package that is named first; return pytest's status."""
    if not arguments or arguments[0] not in PACKAGES:
        print(f"Expected one of {', '.join(PACKAGES)} first", file=sys.stderr)
        return 2
    package, *rest = arguments
    module, programs = PACKAGES[package]
    if importlib.util.find_spec(module) is None:
        print(f"{package} is not installed: pip install {package}", file=sys.stderr)
        return 2
    # no plug-ins of the project's own tests, which would start two processes
    return pytest.main(["-q", "-n", "0", str(HERE / programs), *rest])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

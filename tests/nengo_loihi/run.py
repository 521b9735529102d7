"""Try NengoLoihi, from PyPI, beside this package, in an environment of its own.

    python tests/nengo_loihi/run.py [pytest arguments ...]

NengoLoihi is not among what the tests of this project need. Install it by ``pip install
nengo-loihi``, or run ``tox run -e nengo-loihi``.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def main(arguments):
    """Run the tests in this folder; return pytest's exit status."""
    if importlib.util.find_spec("nengo_loihi") is None:
        print("NengoLoihi is not installed: pip install nengo-loihi", file=sys.stderr)
        return 2
    # no plug-ins of the project's own tests, which would start two processes
    return pytest.main(["-q", "-n", "0", str(HERE / "programs.py"), *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

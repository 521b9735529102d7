"""Where Nengo's test suite and nengo_dl part, each with the reason.

The one place for this. A key is the end of a node id, as pytest shows it: ``*`` stands
for any characters, brackets for themselves. What is excluded is skipped;
``run.py --unsupported`` runs it too, and XPASS then shows what may come off the list.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import numpy as np

#: tests that are left out, whatever the precision
EXCLUDED: dict[str, str] = {
    "nengo/tests/test_transforms.py::test_sparse[False-*]": (
        "Expects the warning that without SciPy a sparse matrix becomes a dense one. "
        "nengo_dl multiplies by sparse matrices itself, so there is nothing to warn "
        "of; test_sparse[True-*] compares the results"
    ),
}

#: tests that are left out in 32-bit floats only
EXCLUDED_FLOAT32: dict[str, str] = {
    "nengo/tests/test_simulator.py::test_dtype[64]": (
        "Asks for 64 bits through nengo.rc, while this run has asked for 32 through "
        "the simulator, which decides"
    ),
    "nengo/tests/test_simulator.py::test_dtype[16]": (
        "Asks for 16 bits through nengo.rc, in the same way"
    ),
}

#: tolerances in 32-bit floats, and why the test's own are too narrow
TOLERANCES_FLOAT32: dict[str, tuple[str, str]] = {
    "nengo/tests/test_synapses.py::test_lowpass": (
        "atol=1e-6",
        "The expected signal is filtered in 64 bits; near its zeros the rounding of 32 "
        "bits, about 1e-7 of the amplitude, exceeds the relative tolerance of 1e-5",
    ),
    "nengo/tests/test_synapses.py::test_decoders": (
        "atol=1e-6",
        "As test_lowpass",
    ),
    "nengo/tests/test_synapses.py::test_linearfilter": (
        "atol=1e-5",
        "As test_lowpass; the poles of the Butterworth filter are near 1, which "
        "magnifies the rounding of each step some 30 times",
    ),
    "nengo/tests/test_transforms_conv.py::test_convolution*": (
        "atol=1e-6",
        "The expected sums are computed in 64 bits; some are 1000 times smaller than "
        "their terms",
    ),
}

if np.lib.NumpyVersion(np.__version__) >= "2.4.0":
    EXCLUDED["nengo/tests/test_synapses.py::test_triangle"] = (
        "Fails on nengo.Simulator too: with NumPy 2.4, Nengo 4.1 cannot filter "
        "one-dimensional data by Triangle.filt"
    )

if "nengo_dl:Simulator" not in {e.value for e in entry_points(group="nengo.backends")}:
    EXCLUDED["nengo/tests/test_simulator.py::test_entry_point"] = (
        "nengo_dl runs from a checkout; installing it registers the entry point"
    )


def excluded(dtype: str) -> dict[str, str]:
    """Return ``{pattern: reason}`` for a simulation of this type."""
    return {**EXCLUDED, **(EXCLUDED_FLOAT32 if dtype == "float32" else {})}


def tolerances(dtype: str) -> dict[str, str]:
    """Return ``{pattern: tolerances}`` for a simulation of this type."""
    if dtype != "float32":
        return {}
    return {pattern: values for pattern, (values, _) in TOLERANCES_FLOAT32.items()}

"""Tests of Nengo's suite that are left out, each with the reason.

The one place for this. A key is the end of a node id, as pytest shows it; ``*`` and
``?`` stand for any characters, brackets for themselves. ``run.py --unsupported`` runs
what is listed here too, as expected failures, and so shows what has become unnecessary.
"""

from __future__ import annotations

import numpy as np

#: whatever the precision
ALWAYS: dict[str, str] = {}

#: only where the simulation has 32-bit floats
FLOAT32: dict[str, str] = {}

if np.lib.NumpyVersion(np.__version__) >= "2.4.0":
    ALWAYS["nengo/tests/test_synapses.py::test_triangle"] = (
        "Fails on nengo.Simulator too: `Synapse.filt` of Nengo 4.1 cannot filter "
        "one-dimensional data with NumPy 2.4"
    )


def exclusions(dtype: str) -> dict[str, str]:
    """Return ``{pattern: reason}`` for a simulation of this type."""
    return {**ALWAYS, **(FLOAT32 if dtype == "float32" else {})}

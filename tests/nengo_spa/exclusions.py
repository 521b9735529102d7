"""Which of NengoSPA's tests are left out, each with the reason.

A key is the end of a node id, as pytest shows it: ``*`` stands for any characters,
brackets for themselves. What is excluded is skipped; ``run.py --unsupported`` runs it
too, and XPASS then shows what may come off the list.
"""

from __future__ import annotations

import numpy as np

EXCLUDED: dict[str, str] = {}

if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
    for _test in ("test_am_default_output", "test_am_spa_keys_as_expressions"):
        EXCLUDED[f"nengo_spa/modules/tests/test_associative_memory.py::{_test}"] = (
            "Fails on nengo.Simulator too, after the simulation: in NumPy 2, "
            "nengo_spa.similarity of NengoSPA 2.0 cannot take a list of vectors, since "
            "it asks np.array not to copy them"
        )


def excluded(dtype: str) -> dict[str, str]:
    """Return ``{pattern: reason}`` for a simulation of this type: the same for all."""
    return EXCLUDED

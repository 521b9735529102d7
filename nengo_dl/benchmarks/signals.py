"""MNIST-1D: signals of 40 values in ten classes, which the package mnist1d makes.

Ten templates are stretched, moved, sheared and made noisy, so that models which know
about neighbourhood do much better than those which do not.

References
----------
S. Greydanus and D. Kobak, "Scaling down deep learning with MNIST-1D", 2020,
arXiv:2011.14439.
"""

from __future__ import annotations

import random
from functools import cache

import numpy as np

from nengo_dl.benchmarks.labelled import Labelled


@cache
def mnist1d() -> Labelled:
    """Return the signals of the published data set: 4,000 to train, 1,000 to test.

    They are computed, which takes some seconds, and neither downloaded nor kept in a
    file.

    Raises
    ------
    ImportError
        If the package mnist1d is not installed; it says how to install it.
    """
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        raise ImportError(
            "The signals of MNIST-1D are made by the package mnist1d, which cannot be "
            "imported. Install it with `pip install mnist1d`"
        ) from error
    # it sets the seeds of the whole process
    states = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return Labelled(
        made["x"][..., None].astype(np.float32),
        made["y"],
        made["x_test"][..., None].astype(np.float32),
        made["y_test"],
    )

"""Networks measured by name, each in a process of its own if wanted."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from nengo_dl.benchmarks.measure import Measurement, measure
from nengo_dl.benchmarks.networks import NETWORKS, SETTINGS


def measure_named(name: str, **settings: Any) -> Measurement:
    """Measure one of the standard networks.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    **settings
        For `measure`. Where the network has settings of its own, these count.
    """
    return measure(name, NETWORKS[name](), **{**settings, **SETTINGS.get(name, {})})


def measure_apart(name: str, **settings: Any) -> Measurement:
    """Measure one of the standard networks in a new process, with its peak of memory.

    Nothing that an earlier network has left behind, such as compiled code and memory
    in pieces, changes what is measured.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure_named, name, **settings).result()

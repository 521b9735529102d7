"""The networks that the benchmarks run, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nengo

from nengo_dl.benchmarks.dynamics import (
    basal_ganglia,
    integrator,
    python_loop,
    two_ensembles,
)
from nengo_dl.benchmarks.images import mlp, mnist
from nengo_dl.benchmarks.learning import pes
from nengo_dl.benchmarks.lmu import lmu
from nengo_dl.benchmarks.random_networks import random_network, spaun
from nengo_dl.benchmarks.vectors import cconv, spa_memory

NETWORKS: dict[str, Callable[[], nengo.Network]] = {
    "two_ensembles": two_ensembles,
    "two_ensembles_1000": lambda: two_ensembles(1000),
    "basal_ganglia": basal_ganglia,
    "integrator": integrator,
    "circular_convolution": cconv,
    "pes": pes,
    "random_ensembles": random_network,
    "spa_memory": spa_memory,
    "lmu": lambda: lmu(native_nengo=True),
    "mlp": mlp,
    "mlp_changing": mlp,
    "convolutional": lambda: mnist(use_tensor_layer=False),
    "python_loop": python_loop,
    "spaun": spaun,
}

#: settings of `measure` that some of them have of their own
SETTINGS: dict[str, dict[str, Any]] = {
    "mlp": {"minibatch_size": 100},
    "mlp_changing": {"minibatch_size": 100, "changing": True},
    "convolutional": {"minibatch_size": 100},
    # minutes, most of them before the first step
    "spaun": {"n_steps": 20, "repetitions": 3, "nengo_merges": False},
}

#: those that take seconds; the others run when they are named
BY_DEFAULT = tuple(name for name in NETWORKS if name != "spaun")

"""Losses for ``Simulator.compile``, called in Keras' way: ``(y_true, y_pred)``.

``outputs`` has those about outputs of any kind, ``firing`` those about firing rates and
spikes. `nengo_dl.objectives` has some of them for ``Simulator.train``, which takes all.
"""

from nengo_dl.losses.firing import (
    FirstSpikeCrossentropy,
    FirstSpikeTime,
    MaximumRate,
    Sparsity,
    SpikeCount,
    SpikeCountCrossentropy,
    TargetRate,
)
from nengo_dl.losses.outputs import Regularize, nan_mse

__all__ = [
    "FirstSpikeCrossentropy",
    "FirstSpikeTime",
    "MaximumRate",
    "Regularize",
    "Sparsity",
    "SpikeCount",
    "SpikeCountCrossentropy",
    "TargetRate",
    "nan_mse",
]

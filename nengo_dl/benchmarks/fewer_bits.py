"""How well classifiers do that are trained, or run, in 16 bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import nengo
import numpy as np

from nengo_dl import config, dists
from nengo_dl.benchmarks.labelled import Labelled
from nengo_dl.simulator import Simulator

#: types of the products in training, and of the simulations with what it leads to
PRECISIONS = {
    None: ("float32",),
    "bfloat16": ("float32", "bfloat16"),
    "float16": ("float32", "float16"),
}
N_NEURONS, N_EPOCHS, MINIBATCH_SIZE = 128, 30, 50


def fewer_bits(data: Labelled, seed: int = 0) -> dict[str, float]:
    """Train the same classifier with products of each precision, and run it in each.

    Parameters
    ----------
    data : Labelled
        Items in ten classes.
    seed : int
        Of weights and order of items.

    Returns
    -------
    dict of {str: float}
        Share of test items that are recognised (%).
    """
    found = {}
    for products, dtypes in PRECISIONS.items():
        for dtype, share in _trained(data, products, dtypes, seed).items():
            name = products or "float32"
            name += " in training and runs" if dtype == products else " in training"
            found[f"{name} (%)"] = 100 * share
    return found


def _trained(
    data: Labelled, products: str | None, dtypes: Sequence[str], seed: int
) -> dict[str, float]:
    """Return the shares of test items that two layers of rate neurons recognise."""
    train, test = (
        items.reshape(len(items), 1, -1) for items in (data.train, data.test)
    )
    net, probe = _network(train.shape[-1], products, seed)
    optimizer = keras.optimizers.Adam(2e-3)
    if products == "float16":
        # small gradients would be zero in its range
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    how: dict[str, Any] = {
        "minibatch_size": MINIBATCH_SIZE,
        "seed": seed,
        "progress_bar": False,
    }
    found = {}
    with TemporaryDirectory() as folder, Simulator(net, dtype="float32", **how) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile(optimizer, loss={probe: loss})
        labels = data.train_labels[:, None, None]
        sim.fit(train, {probe: labels}, epochs=N_EPOCHS, verbose=0)
        sim.save_params(Path(folder) / "trained")
        for dtype in dtypes:
            with Simulator(net, dtype=dtype, **how) as other:
                other.load_params(Path(folder) / "trained")
                outputs = other.predict(test, verbose=0)[probe][:, -1]
            answers = outputs.astype(np.float32).argmax(axis=-1)
            found[dtype] = float(np.mean(answers == data.test_labels))
    return found


def _network(
    size: int, products: str | None, seed: int
) -> tuple[nengo.Network, nengo.Probe]:
    with nengo.Network(seed=seed) as net:
        config.configure_settings(mixed_precision=products)
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Connection].transform = dists.Glorot()
        previous = nengo.Node(np.zeros(size), label="input")
        for _ in range(2):
            layer = nengo.Ensemble(
                N_NEURONS,
                1,
                # rates of about 100 Hz from the start, and outputs of about 1
                neuron_type=nengo.LIFRate(amplitude=0.01),
                gain=nengo.dists.Choice([3.0]),
                bias=nengo.dists.Choice([2.0]),
            ).neurons
            nengo.Connection(previous, layer)
            previous = layer
        output = nengo.Node(size_in=10)
        nengo.Connection(previous, output)
        return net, nengo.Probe(output, label="class")

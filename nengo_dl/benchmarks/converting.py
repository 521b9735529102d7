"""How long Keras models take to be converted, and to compute as networks.

.. code-block:: shell

    python -m nengo_dl.benchmarks converting

A converted network computes a minibatch in one time step. Beside it stands the same
minibatch in Keras, compiled by XLA too, in turn in one process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nengo_dl.converter import Converter
from nengo_dl.simulator import Simulator


@dataclass(frozen=True)
class ConvertingTime:
    """Times of one model, medians of several repetitions.

    Attributes
    ----------
    parameters : int
        Of the model.
    convert : float
        Of the conversion (s).
    step : float
        Of one time step for a minibatch, by `Simulator.predict` (s).
    predict : float
        Of the same minibatch by ``predict`` of Keras (s).
    predict_on_batch : float
        By ``predict_on_batch`` of Keras, which makes no dataset and calls no callbacks
        (s).
    difference : float
        The largest difference of the outputs, as part of the largest output.
    """

    parameters: int
    convert: float
    step: float
    predict: float
    predict_on_batch: float
    difference: float


def fifty_layers() -> keras.Model:
    """Return a model of 50 dense layers with 5 million parameters."""
    layers = [keras.layers.Dense(320, activation="relu") for _ in range(49)]
    return keras.Sequential([keras.Input((320,)), *layers, keras.layers.Dense(10)])


def three_convolutions() -> keras.Model:
    """Return a convolutional network for images of 28 x 28 pixels."""
    convolutions = [
        keras.layers.Conv2D(channels, 3, stride, activation="relu")
        for channels, stride in ((16, 1), (32, 2), (64, 2))
    ]
    ends = keras.layers.Flatten(), keras.layers.Dense(10)
    return keras.Sequential([keras.Input((28, 28, 1)), *convolutions, *ends])


#: by name
MODELS: Mapping[str, Callable[[], keras.Model]] = {
    "50 dense layers": fifty_layers,
    "3 convolutions": three_convolutions,
}


def measure_converting(
    model: keras.Model, minibatch_size: int = 100, repetitions: int = 15
) -> ConvertingTime:
    """Convert a model, and compute a minibatch of random numbers with both.

    Parameters
    ----------
    model : keras.Model
        With one input and one output. It is compiled anew.
    minibatch_size : int
        How many items.
    repetitions : int
        How often each is measured.

    Returns
    -------
    ConvertingTime
        The times.

    Examples
    --------
    >>> import keras
    >>> from nengo_dl.benchmarks.converting import measure_converting
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> found = measure_converting(model, minibatch_size=2, repetitions=1)
    >>> found.parameters
    8
    """
    model.compile(jit_compile=True)
    x = np.random.RandomState(0).rand(minibatch_size, *model.input_shape[1:])
    x = x.astype("float32")
    start = time.perf_counter()
    converter = Converter(model, inference_only=True)
    convert = time.perf_counter() - start
    with Simulator(
        converter.net, minibatch_size=minibatch_size, progress_bar=False
    ) as sim:
        data = {converter.inputs[model.inputs[0]]: x.reshape(minibatch_size, 1, -1)}
        ways: list[Callable[[], Any]] = [
            lambda: sim.predict(data),
            lambda: model.predict(x, batch_size=minibatch_size, verbose=0),
            lambda: model.predict_on_batch(x),
        ]
        for _ in range(2):  # the second call is like all others
            results = [way() for way in ways]
        step, predict, on_batch = _medians(ways, repetitions)
    ours, theirs = np.ravel(results[0][converter.outputs[model.outputs[0]]]), results[1]
    difference = np.abs(ours - np.ravel(theirs)).max() / np.abs(theirs).max()
    return ConvertingTime(
        model.count_params(), convert, step, predict, on_batch, float(difference)
    )


def _medians(
    ways: Sequence[Callable[[], Any]], repetitions: int
) -> tuple[float, float, float]:
    """Return the time of each way, measured in turn (s)."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(repetitions):
        for own, way in zip(seconds, ways, strict=True):
            start = time.perf_counter()
            way()
            own.append(time.perf_counter() - start)
    first, second, third = map(statistics.median, seconds)
    return first, second, third


def main(arguments: Sequence[str]) -> None:
    """Measure all models and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m nengo_dl.benchmarks")
    parser.add_argument("what", choices=["converting"])
    parser.add_argument("--minibatch-size", type=int, default=100)
    parser.add_argument("--repetitions", type=int, default=15)
    options = parser.parse_args(arguments)
    print(
        f"{'model':17s}{'parameters':>11s}{'convert s':>11s}{'step ms':>9s}"
        f"{'predict':>9s}{'on_batch':>10s}{'ratio':>7s}{'':>7s}{'difference':>12s}"
    )
    for name, make in MODELS.items():
        keras.utils.set_random_seed(0)
        one = measure_converting(make(), options.minibatch_size, options.repetitions)
        print(
            f"{name:17s}{one.parameters:11,d}{one.convert:11.2f}{one.step * 1e3:9.1f}"
            f"{one.predict * 1e3:9.1f}{one.predict_on_batch * 1e3:10.1f}"
            f"{one.step / one.predict:7.2f}{one.step / one.predict_on_batch:7.2f}"
            f"{one.difference:12.1e}",
            flush=True,
        )

"""Time a step of optimization in NengoDL; prints JSON. Or save what a step does."""

import argparse
import json
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import nengo_dl
from nengo_dl.benchmarks.classifiers import HIDDEN, classifier
from nengo_dl.benchmarks.training import TASKS

#: what stands for spikes in training: tasks of ``python -m nengo_dl.benchmarks``
FORMS = {"rates": "rates", "spikes": "surrogate_spikes"}


def prepared(task, n_minibatches):
    """Return the network of a task, its Node and Probe, and data for them."""
    rng = np.random.RandomState(0)
    shape = (task.minibatch_size * n_minibatches, task.n_steps)
    net, node, probe = classifier(task.n_steps, **(task.settings or {}))
    data = {
        node: rng.uniform(size=(*shape, node.size_out)).astype(np.float32),
        probe: rng.uniform(size=(*shape, probe.size_in)).astype(np.float32),
    }
    return net, node, probe, data


def milliseconds(task, repetitions):
    """Return the median time of a step over some epochs (ms)."""
    net, _, _, data = prepared(task, task.n_minibatches)
    optimizer = keras.optimizers.Adam(1e-3)
    times = []
    with nengo_dl.Simulator(
        net, minibatch_size=task.minibatch_size, progress_bar=False
    ) as sim:
        for _ in range(repetitions + 2):
            start = time.perf_counter()
            sim.train(data, optimizer)
            times.append(time.perf_counter() - start)
    # the first one compiles, the second one still learns how much to do in a call
    return 1e3 * statistics.median(times[2:]) / task.n_minibatches


class Keep(keras.optimizers.Optimizer):
    """An optimizer that puts gradients in the place of the parameters."""

    def __init__(self):
        super().__init__(learning_rate=1.0)

    def update_step(self, gradient, variable, learning_rate):
        """Make the variable its gradient."""
        self.assign(variable, gradient)


def one_step(task):
    """Return what goes into a step of optimization, and its loss and gradients.

    Parameters
    ----------
    task : nengo_dl.benchmarks.training.Task
        What is trained; of its data only as much as a minibatch is used.

    Returns
    -------
    dict of {str: np.ndarray}
        Data ``x`` and ``y``; the ``voltage`` of the units at the beginning;
        parameters ``first``, ``bias`` and ``last``, weights with a row for each unit
        that they come from; ``loss``; gradients by the name of their parameter, as
        ``gradient of first``.
    """
    net, node, probe, data = prepared(task, n_minibatches=1)
    (ensemble,) = net.all_ensembles
    first, last = net.all_connections

    def parameters(sim):
        return {
            "first": sim.data[first].weights.T,
            "bias": sim.data[ensemble].bias,
            "last": sim.data[last].weights.T,
        }

    with nengo_dl.Simulator(
        net, minibatch_size=task.minibatch_size, progress_bar=False
    ) as sim:
        before = {k: np.array(v, np.float32) for k, v in parameters(sim).items()}
        voltage = sim.signals[sim.model.sig[ensemble.neurons]["voltage"]]
        start = {"voltage": np.array(voltage, np.float32).reshape(-1, HIDDEN)[0]}
        (loss,) = sim.train(data, Keep(), shuffle=False)
        after = {f"gradient of {k}": v for k, v in parameters(sim).items()}
    return {"x": data[node], "y": data[probe], **start, **before, "loss": loss, **after}


def main():
    """Print the times of both forms, or save a step of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--save", type=Path, help="a folder for a file of each form")
    options = parser.parse_args()
    if options.save:
        for form, name in FORMS.items():
            np.savez(options.save / f"{form}.npz", **one_step(TASKS[name]))
        return
    found = {
        form: milliseconds(TASKS[name], options.repetitions)
        for form, name in FORMS.items()
    }
    versions = {"nengo_dl": nengo_dl.__version__, "tensorflow": tf.__version__}
    print(json.dumps({"milliseconds": found, "versions": versions}))


if __name__ == "__main__":
    main()

"""Time a step of optimization in NengoDL; prints JSON."""

import argparse
import json
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import nengo_dl
from nengo_dl.benchmarks.classifiers import classifier
from nengo_dl.benchmarks.training import TASKS

#: what stands for spikes in training: tasks of ``python -m nengo_dl.benchmarks``
FORMS = {"rates": "rates", "spikes": "surrogate_spikes"}


def milliseconds(task, repetitions):
    """Return the median time of a step over some epochs (ms)."""
    rng = np.random.RandomState(0)
    shape = (task.minibatch_size * task.n_minibatches, task.n_steps)
    net, node, probe = classifier(task.n_steps, **(task.settings or {}))
    data = {
        node: rng.uniform(size=(*shape, node.size_out)).astype(np.float32),
        probe: rng.uniform(size=(*shape, probe.size_in)).astype(np.float32),
    }
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


def main():
    """Print the times of both forms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    repetitions = parser.parse_args().repetitions
    found = {
        form: milliseconds(TASKS[name], repetitions) for form, name in FORMS.items()
    }
    versions = {"nengo_dl": nengo_dl.__version__, "tensorflow": tf.__version__}
    print(json.dumps({"milliseconds": found, "versions": versions}))


if __name__ == "__main__":
    main()

"""Train a classifier in 20 settings, in two processes. Killed, it goes on when started.

    python examples/sweep_processes.py [FOLDER]

Each run leaves its result in a file of FOLDER, so a sweep that was killed goes on with
the runs that are missing. What a process has compiled for its first run, it uses for
all others, and FOLDER keeps it for later processes. Needs scikit-learn, for its 1797
images of handwritten digits. ``ray_tune/sweep_digits.py`` does the same with Ray Tune.
"""

import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nengo_dl

import keras
import nengo
import numpy as np
from sklearn.datasets import load_digits

# Nengo keeps decoders in files, and processes would wait for each other to write them
nengo.rc.set("decoder_cache", "enabled", "False")

RATES, SEEDS = (0.001, 0.003, 0.01, 0.03), range(5)
SETTINGS = [
    {"rate": rate, "seed": seed} for rate, seed in itertools.product(RATES, SEEDS)
]
N_PROCESSES, N_TRAIN, MINIBATCH = 2, 1400, 50


def make_network(seed):
    with nengo.Network(seed=seed) as net:
        net.config[nengo.Connection].synapse = None
        net.image = nengo.Node(np.zeros(64))
        hidden = nengo.Ensemble(64, 1, neuron_type=nengo.LIF(amplitude=0.01))
        output = nengo.Node(size_in=10)
        weights = nengo_dl.dists.Glorot()
        nengo.Connection(net.image, hidden.neurons, transform=weights)
        nengo.Connection(hidden.neurons, output, transform=weights)
        net.probe = nengo.Probe(output)
    return net


def load(net):
    """Return inputs and targets of training, and those of a test."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(labels))
    x, y = images[order].reshape(-1, 1, 64) / 16, labels[order].reshape(-1, 1, 1)
    train, test = slice(N_TRAIN), slice(N_TRAIN, N_TRAIN + 350)
    return [({net.image: x[part]}, {net.probe: y[part]}) for part in (train, test)]


def train(setting):
    """Return the result of one run, in one of the processes."""
    start = time.perf_counter()
    net = make_network(setting["seed"])
    known, unknown = load(net)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH, seed=setting["seed"], progress_bar=False
    ) as sim:
        # one name for all: TensorFlow keeps each name until the process ends
        optimizer = keras.optimizers.Adam(setting["rate"], name="adam")
        sim.compile(optimizer, loss={net.probe: loss}, metrics=["accuracy"])
        sim.fit(*known, epochs=3, verbose=0)
        accuracy = sim.evaluate(*unknown, as_rates=True, verbose=0)["probe_accuracy"]
    seconds = time.perf_counter() - start
    return {"accuracy": accuracy, "seconds": seconds, "process": os.getpid()}


def sweep(folder, run=train):
    """Do the runs that have no result in a folder yet; return all results."""
    paths = {folder / f"rate_{s['rate']}_seed_{s['seed']}.json": s for s in SETTINGS}
    missing = [path for path in paths if not path.exists()]
    # new processes, since TensorFlow does not survive a fork. If one is killed, for
    # want of memory for example, this pool says so; multiprocessing.Pool would wait
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(N_PROCESSES, mp_context=context) as pool:
        runs = {pool.submit(run, paths[path]): path for path in missing}
        for done in as_completed(runs):
            path, result = runs[done], done.result()
            # under another name until it is complete
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_text(json.dumps({**paths[path], **result}))
            unfinished.replace(path)
            print(f"{path.stem}: {result['accuracy']:.1%}", flush=True)
    return [json.loads(path.read_text()) for path in paths]


def main(folder):
    # a core for each process, and one place for what they compile
    os.environ.update(OMP_NUM_THREADS="1", TF_NUM_INTRAOP_THREADS="1")
    os.environ["NENGO_DL_COMPILATION_CACHE"] = str(folder / "compiled")
    results = sweep(folder)

    times = defaultdict(list)
    for result in results:
        times[result["process"]].append(result["seconds"])
    for seconds in times.values():
        line = f"{seconds[0]:.2f} s for the first run of a process"
        if len(seconds) > 1:
            line += f", {np.median(seconds[1:]):.2f} s for each of the others"
        print(line)
    for rate in RATES:
        found = [result["accuracy"] for result in results if result["rate"] == rate]
        print(f"learning rate {rate}: {np.mean(found):.1%} ± {np.std(found):.1%}")
    assert len(results) == len(SETTINGS) == 20
    assert max(result["accuracy"] for result in results) > 0.9


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.makedirs(sys.argv[1], exist_ok=True)
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))

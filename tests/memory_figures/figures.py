"""How much memory work on large data takes: ``python figures.py train-shuffled``.

Prints the largest resident memory of this process, in MB, before the work and after it.
Files that are mapped into memory count. The data are files with holes, which take no
space on the disk and read as zeros.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import nengo
import numpy as np

import nengo_dl
from nengo_dl.benchmarks.machine import peak_memory

N_STEPS, SIZE, BATCH = 100, 784, 100

#: size of the input file in GB, and items of `predict` into memory
GIGABYTES, MANY = float(os.environ.get("GIGABYTES", 10)), 100_000


def network(size: int) -> nengo.Network:
    """Return a network with an input of this size."""
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node(np.zeros(size), label="x")
        ensemble = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        transform = np.full((10, size), 1e-3)
        nengo.Connection(net.x, ensemble.neurons, transform=transform, synapse=None)
        net.p = nengo.Probe(ensemble, label="p", synapse=None)
    return net


def with_holes(
    folder: Path, name: str, shape: tuple, dtype: str = "float32"
) -> np.memmap:
    """Return zeros in a file that takes no space."""
    path = folder / name
    with open(path, "wb") as file:
        file.truncate(int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r", shape=shape)


def on_large_files(work: str, folder: Path) -> None:
    """Work with an input file of many gigabytes."""
    net = network(SIZE)
    n_items = int(GIGABYTES * 1e9 / (4 * N_STEPS * SIZE)) // BATCH * BATCH
    dtype = "uint8" if work.endswith("uint8") else "float32"
    x = with_holes(folder, "x", (n_items, N_STEPS, SIZE), dtype)
    y = with_holes(folder, "y", (n_items, N_STEPS, 1), "float32")
    with nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False) as sim:
        small = {"x": np.array(x[:BATCH]), "p": np.array(y[:BATCH])}
        sim.loss(small)
        print(f"before {peak_memory():.0f}")
        data, shuffle = {"x": x, "p": y}, "shuffled" in work
        if work.startswith("train"):
            sim.train(data, "sgd", shuffle=shuffle)
        elif work.startswith("loss"):
            sim.loss(data)
        elif work.startswith("predict"):
            shape = (n_items, N_STEPS, 1)
            out = np.memmap(folder / "out", "float32", "w+", shape=shape)
            sim.predict({"x": x}, out=[out], verbose=0)
        else:
            sim.compile("sgd", loss="mse")
            if work.startswith("fit"):
                sim.fit({"x": x}, {"p": y}, shuffle=shuffle, verbose=0)
            else:
                sim.evaluate({"x": x}, {"p": y}, verbose=0)


def many_items(folder: Path) -> None:
    """Predict the outputs of many items, which fit into memory."""
    net = network(2)
    x = np.zeros((MANY, 10, 2), np.float32)
    with nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False) as sim:
        sim.predict({"x": x[:BATCH]}, verbose=0)
        print(f"before {peak_memory():.0f}")
        assert len(sim.predict({"x": x}, verbose=0)[net.p]) == MANY


def main(work: str) -> None:
    """Do some work, and print what it took."""
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        if work == "many-items":
            many_items(Path(name))
        else:
            on_large_files(work, Path(name))
        print(f"after {peak_memory():.0f}")
        print(f"seconds {time.perf_counter() - start:.0f}")


if __name__ == "__main__":
    main(sys.argv[1])

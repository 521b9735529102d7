"""Train a classifier in 20 settings with Ray Tune. Killed, it goes on when started.

    python examples/ray_tune/sweep_digits.py [FOLDER]

Needs Ray Tune and scikit-learn: ``pip install "ray[tune]" scikit-learn``. There are two
workers on this machine, or those of the cluster that RAY_ADDRESS names; then FOLDER is
one that all its machines share. Each run leaves its parameters there after every epoch.
So a run whose worker is killed goes on after its last epoch, in another worker, and a
sweep that is killed as a whole goes on when it is started again.
"""

import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import nengo_dl

import keras
import nengo
import numpy as np
import ray
from ray import tune
from sklearn.datasets import load_digits

RATES, SEEDS = [0.001, 0.003, 0.01, 0.03], list(range(5))
N_WORKERS, N_EPOCHS, N_TRAIN, MINIBATCH = 2, 3, 1400, 50


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
    """Return the data of training, and those of a test."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(labels))
    x, y = images[order].reshape(-1, 1, 64) / 16, labels[order].reshape(-1, 1, 1)
    train, test = slice(N_TRAIN), slice(N_TRAIN, N_TRAIN + 350)
    return [{net.image: x[part], net.probe: y[part]} for part in (train, test)]


def train(setting):
    """Do one run, in one of the workers; tell Ray what comes out of each epoch."""
    nengo.rc.set("decoder_cache", "enabled", "False")
    net = make_network(setting["seed"])
    known, unknown = load(net)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH, seed=setting["seed"], progress_bar=False
    ) as sim:
        # one name for all: TensorFlow keeps each name until the process ends
        optimizer = keras.optimizers.Adam(setting["rate"], name="adam")
        first = 0
        if saved := tune.get_checkpoint():
            with saved.as_directory() as folder:
                sim.load_params(Path(folder) / "params.npz", optimizer=optimizer)
                first = int((Path(folder) / "epochs.txt").read_text())
        for epoch in range(first, N_EPOCHS):
            sim.train(known, optimizer, objective={net.probe: loss})
            with tempfile.TemporaryDirectory() as folder:
                sim.save_params(Path(folder) / "params.npz", optimizer=optimizer)
                (Path(folder) / "epochs.txt").write_text(str(epoch + 1))
                accuracy = sim.loss(unknown, {net.probe: right}, as_rates=True)
                tune.report(
                    {"epoch": epoch, "accuracy": float(accuracy)},
                    checkpoint=tune.Checkpoint.from_directory(folder),
                )


def right(outputs, targets):
    found = keras.metrics.sparse_categorical_accuracy(targets, outputs)
    return keras.ops.mean(found)


def sweep(folder, run=train):
    """Do the runs that are not complete in a folder yet; return all results."""
    path = str(Path(folder) / "digits")
    one_core = tune.with_resources(run, {"cpu": 1})
    if tune.Tuner.can_restore(path):
        tuner = tune.Tuner.restore(path, one_core, resume_errored=True)
    else:
        settings = {"rate": tune.grid_search(RATES), "seed": tune.grid_search(SEEDS)}
        tuner = tune.Tuner(
            one_core,
            param_space=settings,
            tune_config=tune.TuneConfig(
                metric="accuracy",
                mode="max",
                # without it each run would be a new process, which compiles anew
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="digits",
                storage_path=str(folder),
                failure_config=tune.FailureConfig(max_failures=3),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            ),
        )
    return tuner.fit()


def main(folder, run=train):
    folder = Path(folder).absolute()
    # a core for each process, and one place for what they compile
    variables = {
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "NENGO_DL_COMPILATION_CACHE": str(folder / "compiled"),
    }
    own = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": N_WORKERS}
    ray.init(runtime_env={"env_vars": variables}, include_dashboard=False, **own)
    results = sweep(folder, run)

    by_rate, by_worker = defaultdict(list), defaultdict(int)
    for result in results:
        assert result.error is None
        by_rate[result.config["rate"]].append(result.metrics["accuracy"])
        by_worker[result.metrics["hostname"], result.metrics["pid"]] += 1
    for (host, pid), count in by_worker.items():
        print(f"{count} runs ended in process {pid} of {host}")
    for rate, found in sorted(by_rate.items()):
        print(f"learning rate {rate}: {np.mean(found):.1%} ± {np.std(found):.1%}")
    assert len(results) == len(RATES) * len(SEEDS) == 20
    assert results.get_best_result().metrics["accuracy"] > 0.9


if __name__ == "__main__":
    main(*sys.argv[1:2] or ["sweep"])

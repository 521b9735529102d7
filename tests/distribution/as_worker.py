"""One of the processes that ``launcher.py`` starts; what it does is its argument."""

import json
import os
import sys
import time
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.inputs import blocks, pieces
from nengo_dl.keras_model import datasets
from nengo_dl.training import run_batch
from tests.distribution import networks

N_EPOCHS = 6


def compare(folder, strategy, kinds, dtype, jit, *calls):
    """Print the largest differences to the results of one process."""
    found = {}
    for kind in kinds.split(","):
        for call in calls:
            run = getattr(networks, call)
            got = run(kind, dtype, jit == "True", strategy)
            expected = run(kind, dtype, jit == "True", None)
            for name, value in networks.differences(got, expected).items():
                found[f"{kind}: {name}"] = value
    return found


def reading(folder, strategy):
    """Return what this process reads of data, and how far results are off."""
    return {
        "arrays": of_arrays(folder, strategy),
        "files": of_files(folder, strategy),
    }


def of_arrays(folder, strategy):
    """Use memory-mapped arrays; return how many items of them are read."""
    pieces.LARGE = 100
    blocks.BLOCK = 500  # a minibatch
    x, y = networks.data(2)
    paths = [folder / f"{name}_{os.getpid()}.npy" for name in "xy"]
    for path, array in zip(paths, (x + 10, y + 10), strict=True):
        np.save(path, array)
    read = []
    fill = blocks.Blocks._read

    def counted(self, array, chosen):
        tensor = fill(self, array, chosen)
        read.append(tensor.numpy().reshape(len(tensor), -1).any(axis=1).sum())
        return tensor

    def rows_of(array, chosen):
        rows = blocks.rows_of(array, chosen)
        if rows.size:
            read.append(len(rows))
        return rows

    blocks.Blocks._read = counted
    datasets.rows_of = run_batch.rows_of = rows_of
    found, counts = {}, {}
    for name, given in (("divided", strategy), ("alone", None)):
        read.clear()
        net, stimulus, probe = networks.network("recurrent", "float64", jit=False)
        own = [np.load(path, mmap_mode="r") for path in paths]
        with nengo_dl.Simulator(
            net, minibatch_size=networks.BATCH, strategy=given, progress_bar=False
        ) as sim:
            losses = sim.train(
                {stimulus: own[0], probe: own[1]},
                networks.optimizers()["adam"],
                n_epochs=2,
            )
            sim.compile(networks.optimizers()["adam"], loss="mse")
            history = sim.fit({stimulus: own[0]}, {probe: own[1]}, epochs=2, verbose=0)
            counts[name] = [int(np.sum(read))]
            read.clear()
            found[name] = {
                "losses": losses,
                "fit": np.array(history.history["loss"]),
                "params": networks.parameters(sim),
                "predict": sim.predict({stimulus: own[0]}, verbose=0)[probe],
                "run_batch": sim.run_batch(
                    {stimulus: own[0], probe: own[1]}, {probe: None}
                )[probe],
            }
        counts[name].append(int(np.sum(read)))
    return {
        "read": counts,
        "differences": networks.differences(found["divided"], found["alone"]),
    }


def of_files(folder, strategy):
    """Train with files, some for each process; return what of them it has read."""
    x, y = networks.data(2)
    half = networks.BATCH // 2
    paths = [str(folder / f"{os.getpid()}_{i}.bin") for i in range(2)]
    for i, path in enumerate(paths):
        # the first file has the first half of each minibatch
        rows = np.concatenate([x, y], axis=2).reshape(-1, 2, half, networks.N_STEPS, 4)
        rows[:, i].tofile(path)
    read = []

    def record(line):
        values = tf.reshape(tf.io.decode_raw(line, tf.float64), (networks.N_STEPS, 4))
        values = tf.numpy_function(seen, [values], tf.float64)
        values = tf.ensure_shape(values, (networks.N_STEPS, 4))
        return {"stimulus": values[:, :2]}, {"probe": values[:, 2:]}

    def seen(values):
        read.append(values)
        return values

    options = tf.data.Options()
    policy = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policy.FILE
    files = tf.data.FixedLengthRecordDataset(paths, networks.N_STEPS * 4 * 8)
    dataset = files.map(record).batch(networks.BATCH).with_options(options)
    found = {}
    for name, given in (("divided", strategy), ("alone", None)):
        net, stimulus, probe = networks.network("recurrent", "float64", jit=False)
        probe.label = "probe"
        with nengo_dl.Simulator(
            net, minibatch_size=networks.BATCH, strategy=given, progress_bar=False
        ) as sim:
            noise = np.zeros((networks.N_ITEMS, networks.N_STEPS, 2))
            if given is None:
                data = {stimulus: x, net.nodes[1]: noise, probe: y}
            else:
                data = dataset.map(with_noise)
            losses = sim.train(
                data, networks.optimizers()["adam"], n_epochs=2, shuffle=False
            )
            if given is None:
                inputs = {stimulus: x, net.nodes[1]: noise}
                data, options = (inputs, {probe: y}), {"shuffle": False}
            else:
                data, options = (data,), {}
            sim.compile(networks.optimizers()["adam"], loss="mse")
            history = sim.fit(*data, epochs=2, verbose=0, **options)
            found[name] = {
                "losses": losses,
                "fit": np.array(history.history["loss"]),
                "params": networks.parameters(sim),
            }
            if given is not None:
                with pytest.raises(ValidationError, match=r"3 items .* all need 4"):
                    sim.loss(dataset.unbatch().batch(6))
    # numbers of an epoch
    return {
        "read": sorted({float(values.sum()) for values in read}),
        "differences": networks.differences(found["divided"], found["alone"]),
    }


def with_noise(inputs, targets):
    """Return a minibatch in which the second input is silent."""
    return {**inputs, "noise": tf.zeros_like(inputs["stimulus"])}, targets


def resume(folder, strategy, way, pause):
    """Train, save after each epoch, and go on from what is there already."""
    net, stimulus, probe = networks.network("recurrent", "float64", jit=False)
    x, y = networks.data(2)
    optimizer = networks.optimizers()["adam"]
    with nengo_dl.Simulator(
        net, minibatch_size=networks.BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        if way == "train":
            _train(sim, folder, {stimulus: x, probe: y}, optimizer, float(pause))
        else:
            _fit(sim, folder, {stimulus: x}, {probe: y}, optimizer, float(pause))
        return {"params": networks.parameters(sim).tolist()}


def _train(sim, folder, data, optimizer, pause):
    path, count = folder / "saved.npz", folder / "epochs.txt"
    first = 0
    if path.exists():
        first = int(count.read_text())
        sim.load_params(path, optimizer=optimizer)
    for epoch in range(first, N_EPOCHS):
        sim.train(data, optimizer)
        sim.save_params(path, optimizer=optimizer)
        if _is_chief():
            count.write_text(str(epoch + 1))
        print("EPOCH", epoch, flush=True)
        time.sleep(pause)


def _is_chief():
    return json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 0


def _fit(sim, folder, x, y, optimizer, pause):
    def tell(epoch, logs):
        print("EPOCH", epoch, flush=True)
        time.sleep(pause)

    sim.compile(optimizer, loss="mse")
    sim.fit(
        x,
        y,
        epochs=N_EPOCHS,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(
                folder / "backup", delete_checkpoint=False
            ),
            keras.callbacks.LambdaCallback(on_epoch_end=tell),
        ],
    )


def main(folder, call, *arguments):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    print("READY", flush=True)
    found = globals()[call](Path(folder), strategy, *arguments)
    print("RESULT", json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

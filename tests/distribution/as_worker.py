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
from nengo.exceptions import SimulationError, ValidationError

import nengo_dl
from nengo_dl.inputs import arrays, blocks, pieces
from nengo_dl.keras_model import datasets
from nengo_dl.program import traces
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


def exchanging(folder, strategy):
    """Return what the processes tell each other, and how far results are off."""
    return {
        "collectives": collectives(strategy),
        "bad": of_bad_data(strategy),
        "own": of_own_datasets(strategy),
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
    # numbers of an epoch
    differences = of_dataset(strategy, dataset, x, y, wrong_size=True)
    return {
        "read": sorted({float(values.sum()) for values in read}),
        "differences": differences,
    }


def of_own_datasets(strategy):
    """Train with a dataset that the user has divided; return differences."""
    x, y = networks.data(2)
    context = strategy.cluster_resolver
    count, number = len(context.cluster_spec().as_dict()["worker"]), context.task_id
    whole = tf.data.Dataset.from_tensor_slices(({"stimulus": x}, {"probe": y}))
    options = tf.data.Options()
    policy = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policy.OFF
    dataset = whole.shard(count, number).batch(networks.BATCH).with_options(options)
    # each process has every other item, and the first of them come first
    part = networks.BATCH // count
    order = np.arange(len(x)).reshape(-1, part, count).transpose(0, 2, 1).ravel()
    return of_dataset(strategy, dataset, x[order], y[order])


def of_dataset(strategy, dataset, x, y, wrong_size=False):
    """Return how far training with a dataset is from that with all items as arrays."""
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
            if given is not None and wrong_size:
                with pytest.raises(ValidationError, match=r"3 items .* all need 4"):
                    sim.loss(dataset.unbatch().batch(6))
    return networks.differences(found["divided"], found["alone"])


def collectives(strategy):
    """Return how many collectives there are in a step of each way to train."""
    net, stimulus, probe = networks.network("recurrent", "float64", jit=False)
    x, y = networks.data(2)
    data = {stimulus: x, probe: y}
    graphs = []
    flat_call = traces.flat_call

    def noted(concrete, compiled):
        graphs.append(concrete.graph.as_graph_def())
        return flat_call(concrete, compiled)

    def spread(outputs, targets):
        return tf.math.reduce_std(outputs - targets)

    found = {}
    traces.flat_call = noted
    with nengo_dl.Simulator(
        net, minibatch_size=networks.BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        optimizer = networks.optimizers()["adam"]
        sim.compile(optimizer, loss="mse", metrics=["mae"])
        for name, call in {
            "train": lambda: sim.train(data, optimizer),
            "train, all items": lambda: sim.train(data, optimizer, objective=spread),
            "train, truncated": lambda: sim.train(data, optimizer, truncation=2),
            "loss": lambda: sim.loss(data),
            "fit": lambda: sim.fit({stimulus: x}, {probe: y}, verbose=0),
        }.items():
            graphs.clear()
            call()
            nodes = [node for graph in graphs for node in graph.node]
            nodes += [
                node
                for graph in graphs
                for function in graph.library.function
                for node in function.node_def
            ]
            found[name] = sum(node.op.startswith("Collective") for node in nodes)
    traces.flat_call = flat_call
    return found


def of_bad_data(strategy):
    """Return what is said of data that are bad where another process looks."""
    arrays.DIVIDED = 1
    net, stimulus, probe = networks.network("forward", "float64", jit=False)
    x, y = networks.data(2)
    said = {}
    with nengo_dl.Simulator(
        net, minibatch_size=networks.BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        for place in (0, -1):
            bad = x.copy()
            bad[place, 0, 0] = np.inf
            with pytest.raises(ValidationError, match="NaN or infinity") as refusal:
                sim.loss({stimulus: bad, probe: y})
            said[place] = "stimulus" in str(refusal.value)
        sim.loss({stimulus: x, probe: y})
    return said


def of_callbacks(folder, strategy):
    """Train with callbacks that some processes do not have, or do not run.

    Returns the numbers of the minibatches that one of them saw, whether the others have
    written their files, and the losses.
    """
    cbs = keras.callbacks
    path, board = folder / "each.weights.h5", folder / "board"

    class Own(cbs.ModelCheckpoint):
        """Would run once in an epoch if it were not the user's."""

    seen = []
    noted = cbs.LambdaCallback(on_train_batch_end=lambda i, logs: seen.append(i))
    given = {
        "every other": [cbs.ModelCheckpoint(path, save_weights_only=True, save_freq=2)],
        "own": [Own(folder / "own.weights.h5", save_weights_only=True)],
        "of the chief": [noted] if _is_chief() else [],
        "board": [cbs.TensorBoard(board)],
    }
    net, stimulus, probe = networks.network("forward", "float64", jit=False)
    x, y = (np.concatenate([own] * 2) for own in networks.data(2))
    losses = {}
    with nengo_dl.Simulator(
        net, minibatch_size=networks.BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        sim.compile("sgd", loss="mse")
        for name, callbacks in given.items():
            history = sim.fit(
                {stimulus: x},
                {probe: y},
                validation_data=({stimulus: x}, {probe: y}),
                epochs=2,
                shuffle=False,
                verbose=0,
                callbacks=callbacks,
            )
            losses[name] = history.history["loss"]
    written = [path.exists(), (folder / "own.weights.h5").exists(), board.exists()]
    return {"seen": seen, "written": written, "losses": losses}


def _minibatches(x, y):
    """Return a dataset of whole minibatches, as Keras' own loops take it."""
    return tf.data.Dataset.from_tensor_slices(
        ({"stimulus": x, "noise": 0 * x}, {"probe": y})
    ).batch(networks.BATCH)


def of_stops(folder, strategy):
    """Train with callbacks that end the work in one of the processes only.

    Returns how many minibatches and epochs there were, and the parameters.
    """

    class Limit(keras.callbacks.Callback):
        """A limit of time, as one process has it: it is over at this place."""

        def __init__(self, hook, number):
            super().__init__()
            self.hook, self.number = hook, number
            for name in ("on_train_batch_end", "on_test_batch_end", "on_epoch_end"):
                setattr(self, name, self.reached(name))

        def reached(self, name):
            def reach(index, logs=None):
                counts[name] = counts.get(name, 0) + 1
                if name == self.hook and index == self.number and not _is_chief():
                    self.model.stop_training = self.model.stop_evaluating = True

            return reach

    net, stimulus, probe = networks.network("forward", "float64", jit=False)
    probe.label = "probe"
    x, y = (np.concatenate([own] * 2) for own in networks.data(2))
    batches = _minibatches(x, y)
    found = {}
    with nengo_dl.Simulator(
        net, minibatch_size=networks.BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        sim.compile("sgd", loss="mse")
        model = sim.keras_model
        for name, call, limit in (
            ("epoch", lambda **o: sim.fit({stimulus: x}, {probe: y}, **o), "epoch"),
            ("batch", lambda **o: sim.fit({stimulus: x}, {probe: y}, **o), "train"),
            ("stream", lambda **o: sim.fit(batches, **o), "train"),
            ("keras, epoch", lambda **o: model.fit(batches, **o), "epoch"),
            ("keras, batch", lambda **o: model.fit(batches, **o), "train"),
        ):
            hook = "on_epoch_end" if limit == "epoch" else f"on_{limit}_batch_end"
            counts = {}
            call(epochs=4, verbose=0, callbacks=[Limit(hook, 1)])
            found[name] = [counts["on_train_batch_end"], counts["on_epoch_end"]]
        for name, evaluate in (
            ("evaluate", lambda **o: sim.evaluate({stimulus: x}, {probe: y}, **o)),
            ("keras, evaluate", lambda **o: model.evaluate(batches, **o)),
        ):
            counts = {}
            limit = Limit("on_test_batch_end", 1)
            evaluate(verbose=0, callbacks=[limit])
            found[name] = counts["on_test_batch_end"]
        found["params"] = networks.parameters(sim).tolist()
    return found


def of_errors(folder, strategy):
    """Call loops with a callback that fails in one process, or in both.

    Returns the errors by calls and hooks, and a loss that is computed at last.
    """

    class Failing(keras.callbacks.Callback):
        def __init__(self, hook):
            super().__init__()
            setattr(self, hook, self.fail)

        def fail(self, *_, **__):
            raise KeyError("own")

    net, stimulus, probe = networks.network("forward", "float64", jit=False)
    probe.label = "probe"
    x, y = networks.data(2)
    batches = _minibatches(x, y)
    found = {}
    with nengo_dl.Simulator(
        net, minibatch_size=networks.BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        sim.compile("sgd", loss="mse")
        model, data = sim.keras_model, ({stimulus: x}, {probe: y})
        validated = {"validation_data": data, "epochs": 2}
        for name, call, hooks in (
            (
                "fit",
                lambda **o: sim.fit(*data, **validated, **o),
                "train_begin epoch_begin train_batch_end test_begin test_batch_end "
                "test_end epoch_end train_end",
            ),
            (
                "keras, fit",
                lambda **o: model.fit(batches, epochs=2, **o),
                "train_batch_end epoch_end",
            ),
            ("evaluate", lambda **o: sim.evaluate(*data, **o), "test_end"),
            (
                "predict",
                lambda **o: sim.predict({stimulus: x}, **o),
                "predict_begin predict_batch_end predict_end",
            ),
        ):
            for hook in hooks.split():
                for both in (False, True):
                    callbacks = [Failing(f"on_{hook}")] if both or _is_chief() else []
                    try:
                        call(verbose=0, callbacks=callbacks)
                        error = ""
                    except Exception as raised:
                        error = f"{type(raised).__name__}: {raised}"[:40]
                    found[f"{name}, {hook}, {both}"] = error
        found["loss"] = sim.loss({stimulus: x, probe: y})
    return found


def of_weights(folder, strategy):
    """Save weights and load them at once, while the chief is slow to write."""
    write = keras.Model.save_weights
    path = folder / "own.weights.h5"

    def slowly(*args, **kwargs):
        time.sleep(1)
        write(*args, **kwargs)

    keras.Model.save_weights = slowly
    net, stimulus, probe = networks.network("forward", "float64", jit=False)
    x, y = networks.data(2)
    with nengo_dl.Simulator(
        net, minibatch_size=networks.BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        model, start = sim.keras_model, sim.keras_model.get_weights()
        differences = []

        def compare(factor):
            model.set_weights([0 * own for own in start])
            model.load_weights(path)
            pairs = zip(model.get_weights(), start, strict=True)
            differences.append(max(np.abs(a - factor * b).max() for a, b in pairs))

        for factor in (1, 2):
            model.set_weights([factor * own for own in start])
            model.save_weights(path)
            compare(factor)
        # within a loop, where files are written by some processes only
        sim.compile("sgd", loss="mse")
        written = []

        def both(epoch, logs):
            model.set_weights([3 * own for own in start])
            model.save_weights(path)
            compare(3)

        callbacks = [
            keras.callbacks.LambdaCallback(on_epoch_end=both),
            keras.callbacks.ModelCheckpoint(
                folder / "kept.weights.h5", save_weights_only=True
            ),
        ]
        sim.fit({stimulus: x}, {probe: y}, verbose=0, callbacks=callbacks)
        keras.Model.save_weights = _cannot_write
        with pytest.raises((OSError, SimulationError)) as refusal:
            model.save_weights(path)
        written.append(type(refusal.value).__name__)
    return {"differences": differences, "refused": written}


def _cannot_write(*args, **kwargs):
    raise OSError("The disk is full")


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

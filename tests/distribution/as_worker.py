"""One of the processes that ``launcher.py`` starts; what it does is its argument."""

import json
import os
import sys
import time
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import tensorflow as tf

import nengo_dl
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

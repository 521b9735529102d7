"""Train in two processes of this machine; on several machines it is the same program.

    python examples/two_processes.py

starts two copies of itself, which divide each minibatch between them and come to the
same weights. On a cluster the scheduler starts the processes: docs/distribution.rst
says how.
"""

import json
import os
import socket
import subprocess
import sys

LIMIT = 600  # seconds, for both processes together


def main():
    """Start the processes, and wait for them."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    processes = []
    for i in range(2):
        config = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": i},
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__],
                env={**os.environ, "TF_CONFIG": json.dumps(config)},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [process.communicate(timeout=LIMIT)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for i, output in enumerate(outputs):
        print(f"process {i}: {output.strip()}")
    assert outputs[0] == outputs[1] and outputs[0]


def train():
    """Train, as each of the processes does."""
    import tensorflow as tf

    # the first thing that the program does
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    import nengo_dl

    import keras
    import nengo
    import numpy as np

    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0])
        ensemble = nengo.Ensemble(50, 1, neuron_type=nengo.RectifiedLinear(0.01))
        output = nengo.Node(size_in=1)
        nengo.Connection(stimulus, ensemble, synapse=None)
        nengo.Connection(ensemble, output, synapse=None)
        probe = nengo.Probe(output)

    x = np.random.RandomState(0).uniform(-1, 1, size=(64, 1, 1))
    data = {stimulus: x, probe: x**2}
    with nengo_dl.Simulator(
        net, minibatch_size=16, seed=0, strategy=strategy, progress_bar=False
    ) as sim:
        losses = sim.train(data, keras.optimizers.Adam(3e-4), n_epochs=20)
    assert losses[-1] < 0.2 * losses[0]
    print(f"loss {losses[0]:.6f} -> {losses[-1]:.6f}")


if __name__ == "__main__":
    if "TF_CONFIG" in os.environ:
        train()
    else:
        main()

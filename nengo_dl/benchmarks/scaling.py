"""Two processes that share minibatches, beside one: ``benchmarks scaling``.

Each process has one core and one thread that computes, so that two have twice what one
has: the thread that reads data would have a core to itself where there is one process.
Measured are items per second of the recurrent classifier, trained with the same whole
minibatch, the processor time that a process takes for a minibatch, which says more on a
busy machine, and how long gradients take from process to process, packed, beside a bare
reduction of as many bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

#: precedes what a process has measured, as JSON
_RESULT = "SCALING "

#: trained parameters of the model whose gradients are reduced, by array
_ARRAYS = (784 * 512, 512, 512 * 512, 512, 512 * 512, 512, 512 * 10, 10)


def main(arguments: Sequence[str]) -> None:
    """Measure one process, then several, and print figures and their ratios.

    Parameters
    ----------
    arguments : sequence of str
        ``scaling`` and its options.

    Raises
    ------
    RuntimeError
        If a process ends with an error; its last words are in the message.
    """
    parser = argparse.ArgumentParser(prog="python -m nengo_dl.benchmarks scaling")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minibatch-size", type=int, default=256)
    parser.add_argument("--n-steps", type=int, default=100)
    parser.add_argument("--minibatches", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--as-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments[1:])
    if options.processes < 2:
        parser.error(f"got --processes {options.processes}; expected 2 or more")
    if options.as_process:
        _take_a_core()
        print(_RESULT + json.dumps(_measured(options)), flush=True)
        return
    alone, shared = (_run(count, arguments) for count in (1, options.processes))
    ratio = shared["items"] / alone["items"]
    print(f"items per second, 1 process:           {alone['items']:10.1f}")
    print(f"items per second, {options.processes} processes:         ", end="")
    print(f"{shared['items']:10.1f}")
    print(f"ratio:                                 {ratio:10.2f}")
    for count, found in ((1, alone), (options.processes, shared)):
        processor = found["processor"] * options.minibatch_size * 1e3
        print(f"processor time of each of {count} (ms/minibatch): {processor:9.1f}")
    print(f"packed reduction of gradients (ms):    {shared['packed'] * 1e3:10.2f}")
    print(f"bare reduction of as many bytes (ms):  {shared['bare'] * 1e3:10.2f}")
    print(f"ratio:                                 {shared['ratio']:10.2f}")


def _run(count: int, arguments: Sequence[str]) -> dict[str, float]:
    """Start processes with a thread each; return what the first has measured."""
    addresses = free_addresses(count)
    command = [sys.executable, "-m", "nengo_dl.benchmarks", *arguments, "--as-process"]
    processes = []
    for i in range(count):
        config = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": i},
        }
        environment = {
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "-1",
            "OMP_NUM_THREADS": "1",
            "TF_CONFIG": json.dumps(config) if count > 1 else "",
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        }
        processes.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        texts = [process.communicate()[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, texts, strict=True):
        if process.returncode:
            raise RuntimeError(f"A process of the benchmark has ended: {text[-2000:]}")
    return json.loads(texts[0].split(_RESULT)[1])


def free_addresses(count: int) -> list[str]:
    """Return addresses on this machine that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for own in sockets:
            own.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{own.getsockname()[1]}" for own in sockets]
    finally:
        for own in sockets:
            own.close()


def _take_a_core() -> None:
    """Let this process run on a core of its own; before TensorFlow starts threads."""
    config = os.environ.get("TF_CONFIG")
    number = json.loads(config)["task"]["index"] if config else 0
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def _measured(options: argparse.Namespace) -> dict[str, float]:
    """Return the figures of this process."""
    import tensorflow as tf

    strategy = None
    if os.environ.get("TF_CONFIG"):
        # before anything else that TensorFlow does
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    found = _speed(options, strategy)
    if strategy is not None:
        found |= _reductions(options, strategy)
    return found


def _speed(options: argparse.Namespace, strategy: Any) -> dict[str, float]:
    """Return items per second, and processor seconds for an item, at best."""
    import keras
    import numpy as np

    from nengo_dl.benchmarks.classifiers import SIZE_IN, SIZE_OUT, classifier
    from nengo_dl.simulator import Simulator

    rng = np.random.RandomState(0)
    n_items = options.minibatch_size * options.minibatches
    x = rng.uniform(size=(n_items, options.n_steps, SIZE_IN)).astype(np.float32)
    y = rng.uniform(size=(n_items, options.n_steps, SIZE_OUT)).astype(np.float32)
    net, node, probe = classifier(options.n_steps, recurrent=True)
    with Simulator(
        net,
        minibatch_size=options.minibatch_size,
        strategy=strategy,
        progress_bar=False,
    ) as sim:
        optimizer = keras.optimizers.Adam(1e-3)

        def epoch() -> None:
            sim.train({node: x, probe: y}, optimizer)

        seconds, processor = _least(epoch, options.repetitions)
    return {"items": n_items / seconds, "processor": processor / n_items}


def _reductions(options: argparse.Namespace, strategy: Any) -> dict[str, float]:
    """Return seconds of a packed reduction and of a bare one, and their ratio."""
    import numpy as np
    import tensorflow as tf

    from nengo_dl.distribution.replicas import Replicas

    replicas = Replicas(strategy, options.minibatch_size)
    arrays = [tf.ones((size,)) for size in _ARRAYS]
    whole = tf.ones((sum(_ARRAYS),))

    @tf.function(autograph=False)
    def packed() -> list[tf.Tensor]:
        return replicas.summed(strategy.run(lambda: [a + 1 for a in arrays]))

    @tf.function(autograph=False)
    def bare() -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(lambda: whole + 1), axis=None)

    packed(), bare()
    times = []
    for _ in range(10 * options.repetitions):
        start = time.perf_counter()
        bare().numpy()
        between = time.perf_counter()
        packed()[-1].numpy()
        times.append((between - start, time.perf_counter() - between))
    # in pairs, since the machine is not always as fast
    of_bare, of_packed = np.median(times, axis=0)
    return {
        "bare": float(of_bare),
        "packed": float(of_packed),
        "ratio": float(of_packed / of_bare),
    }


def _least(action: Callable[[], None], repetitions: int) -> list[float]:
    """Return the least seconds of something, and of the processor, once compiled."""
    for _ in range(2):  # then it knows how much to do in a call
        action()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter(), time.process_time()
        action()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return [min(column) for column in zip(*times, strict=True)]

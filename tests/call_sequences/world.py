"""Simulators, and all that calls of them need: what a sequence of calls acts on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf

import nengo_dl
from nengo_dl.program import traces
from tests.call_sequences.objectives import Objectives

#: items in all data; every minibatch size divides it
ITEMS = 4


def network(
    seed: int = 0,
    neurons: int = 4,
    tau: float = 0.01,
    kind: str = "relu",
    noise: bool = False,
    learning: bool = False,
    python: bool = False,
    settings: tuple[tuple[str, Any], ...] = (),
) -> nengo.Network:
    """Return a network with two inputs and two probes."""
    types = {
        "relu": nengo.RectifiedLinear(),
        "lif": nengo.LIF(),
        "spiking": nengo.SpikingRectifiedLinear(),
    }
    with nengo.Network(seed=seed) as net:
        nengo_dl.configure_settings(**{"jit_compile": False, **dict(settings)})
        net.a = nengo.Node([0.5], label="a")
        net.b = nengo.Node(lambda t: np.sin(50 * t), label="b")
        ensemble = nengo.Ensemble(neurons, 1, neuron_type=types[kind])
        out = nengo.Node(size_in=1)
        for node in (net.a, net.b):
            nengo.Connection(node, ensemble, synapse=tau)
        learned = nengo.Connection(ensemble, out, synapse=None)
        if noise:
            source = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
            nengo.Connection(source, ensemble, synapse=None)
        if learning:
            learned.learning_rule_type = nengo.PES(1e-2)
            nengo.Connection(net.b, learned.learning_rule, synapse=None)
        if python:
            inner = nengo.Node(lambda t, x: 2 * x + t, size_in=1, size_out=1)
            nengo.Connection(ensemble, inner, synapse=None)
            nengo.Connection(inner, out, synapse=None)
        net.p = nengo.Probe(out, label="p")
        net.q = nengo.Probe(ensemble.neurons, synapse=0.02, label="q")
    return net


class World:
    """What a sequence of calls acts on. Its methods are the calls.

    Parameters
    ----------
    alone : bool
        Whether everything is compiled anew for each call.
    """

    def __init__(self, alone: bool) -> None:
        self._alone = alone
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = self._temporary.name
        self.objectives = Objectives()
        self.simulators: dict[int, nengo_dl.Simulator] = {}
        self._networks: dict[int, nengo.Network] = {}
        self._optimizers: dict[str, Any] = {}
        self._compiled: dict[int, tuple[str, ...]] = {}

    def close(self) -> None:
        """Close all simulators."""
        for sim in self.simulators.values():
            sim.close()
        self._temporary.cleanup()

    # -- what calls are about

    def change(self, factor: float) -> None:
        """Change what objectives see."""
        self.objectives.change(factor)

    def new(self, i: int, minibatch_size: int | None, **options: Any) -> None:
        """Make a simulator, and close the one of this number."""
        if i in self.simulators:
            self.simulators.pop(i).close()
        self._compiled.pop(i, None)
        self._networks[i] = network(**options)
        self.simulators[i] = nengo_dl.Simulator(
            self._networks[i], minibatch_size=minibatch_size, progress_bar=False
        )

    def _of(self, i: int) -> tuple[nengo_dl.Simulator, nengo.Network]:
        sim = self.simulators[i]
        if self._alone:
            traces.shared.forget()
            if "_trainer" in vars(sim):
                sim._trainer.traces.forget()
        return sim, self._networks[i]

    def _data(self, i: int, nodes: str, steps: int, items: int = ITEMS) -> dict:
        """Return data for some Nodes, shape (items, steps, 1) each."""
        net = self._networks[i]
        return {
            getattr(net, name): np.sin(
                np.arange(items * steps).reshape(items, steps, 1) + k
            ).astype(np.float32)
            for k, name in enumerate("ab")
            if name in nodes
        }

    def _targets(self, i: int, probes: str, steps: int) -> dict:
        net = self._networks[i]
        return {
            getattr(net, name): np.full(
                (ITEMS, steps, getattr(net, name).size_in), 0.3, np.float32
            )
            for name in probes
        }

    def _objective(self, i: int, name: str, probes: str, by_probe: bool) -> Any:
        made = self.objectives.make(name)
        if not by_probe:
            return made
        return {getattr(self._networks[i], p): made for p in probes}

    def optimizer(self, name: str) -> Any:
        """Return an optimizer: a name, a new one, or one that is used again."""
        if name.startswith("same "):
            made = self._optimizers.get(name)
            if made is None:
                made = self._optimizers[name] = self.optimizer(name[5:])
            return made
        return {
            "sgd": lambda: "sgd",
            "adam": lambda: "adam",
            "SGD": lambda: keras.optimizers.SGD(0.01),
            "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
            "Adam": lambda: keras.optimizers.Adam(0.01, beta_1=0.8),
            "clipped": lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
            "schedule": lambda: keras.optimizers.SGD(
                keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
            ),
            "tf1": lambda: tf.compat.v1.train.MomentumOptimizer(0.01, 0.9),
        }[name]()

    # -- calls of simulators

    def run(self, i: int, steps: int, nodes: str, stateful: bool = True) -> None:
        sim, _ = self._of(i)
        data = self._data(i, nodes, steps, sim.minibatch_size or 1)
        sim.run_steps(steps, data=data or None, stateful=stateful)

    def step(self, i: int) -> None:
        self._of(i)[0].step()

    def train(
        self,
        i: int,
        steps: int,
        nodes: str,
        probes: str,
        objective: str,
        by_probe: bool,
        optimizer: str,
        epochs: int = 1,
        truncation: int | None = None,
    ) -> Any:
        sim, _ = self._of(i)
        return sim.train(
            {**self._data(i, nodes, steps), **self._targets(i, probes, steps)},
            self.optimizer(optimizer),
            n_epochs=epochs,
            objective=self._objective(i, objective, probes, by_probe),
            truncation=truncation,
        )

    def loss(
        self,
        i: int,
        steps: int,
        nodes: str,
        probes: str,
        objective: str,
        by_probe: bool,
        training: bool,
    ) -> Any:
        sim, _ = self._of(i)
        return sim.loss(
            {**self._data(i, nodes, steps), **self._targets(i, probes, steps)},
            self._objective(i, objective, probes, by_probe),
            training=training,
        )

    def compile(
        self, i: int, probes: str, objective: str, optimizer: str, metric: bool
    ) -> None:
        sim, net = self._of(i)
        made = self.objectives.make(objective)
        loss = made
        if callable(made) and not isinstance(made, keras.losses.Loss):
            loss = lambda y_true, y_pred: made(y_pred, y_true)  # noqa: E731
        sim.compile(
            self.optimizer(optimizer),
            loss={getattr(net, p): loss for p in probes},
            metrics={getattr(net, p): ["mae"] for p in probes} if metric else None,
        )
        self._compiled[i] = tuple(probes)

    def fit(
        self, i: int, steps: int, nodes: str, epochs: int, stream: bool, stateful: bool
    ) -> Any:
        sim, _ = self._of(i)
        x = self._data(i, nodes, steps)
        y = self._targets(i, self._compiled.get(i, "p"), steps)
        options = {"epochs": epochs, "verbose": 0, "stateful": stateful}
        if stream and x:
            size = sim.minibatch_size or 1
            names = [
                {sim.get_name(key): array for key, array in part.items()}
                for part in (x, y)
            ]
            data = tf.data.Dataset.from_tensor_slices(tuple(names)).batch(size)
            return sim.fit(data, **options).history
        n_steps = None if x else steps
        return sim.fit(x or None, y, n_steps=n_steps, **options).history

    def evaluate(self, i: int, steps: int, nodes: str, stateful: bool) -> Any:
        sim, _ = self._of(i)
        x = self._data(i, nodes, steps)
        y = self._targets(i, self._compiled.get(i, "p"), steps)
        n_steps = None if x else steps
        return sim.evaluate(x or None, y, n_steps=n_steps, stateful=stateful, verbose=0)

    def predict(self, i: int, steps: int, nodes: str, stateful: bool) -> Any:
        sim, _ = self._of(i)
        x = self._data(i, nodes, steps)
        n_steps = None if x else steps
        return sim.predict(x or None, n_steps=n_steps, stateful=stateful, verbose=0)

    def run_batch(self, i: int, steps: int, nodes: str, isolate: bool) -> Any:
        sim, net = self._of(i)
        scaled = self.objectives.scaled
        outputs = {
            net.p: None,
            net.q: lambda outputs: scaled.factor * tf.reduce_sum(outputs),
        }
        return sim.run_batch(
            self._data(i, nodes or "a", steps), outputs, isolate_state=isolate
        )

    def check_gradients(self, i: int) -> Any:
        self._of(i)[0].check_gradients(n_steps=2)

    def function(self, i: int, steps: int, nodes: str, training: bool) -> Any:
        sim, net = self._of(i)
        f = sim.function([net.p, net.q], training=training)
        data = self._data(i, nodes, steps, f.minibatch_size)
        outputs, state = f(f.params, f.state, data, n_steps=steps)
        return [list(outputs.values()), state]

    def save(self, i: int, state: bool) -> None:
        path = Path(self.folder) / f"{i}.npz"
        self._of(i)[0].save_params(path, include_state=state)

    def load(self, i: int, state: bool) -> None:
        path = Path(self.folder) / f"{i}.npz"
        self._of(i)[0].load_params(path, include_state=state)

    def reset(
        self, i: int, seed: int | None, trainable: bool, probes: bool, processes: bool
    ) -> None:
        self._of(i)[0].reset(seed, trainable, probes, processes)

    def freeze(self, i: int) -> None:
        sim, net = self._of(i)
        sim.freeze_params(net)

    def clear_probes(self, i: int) -> None:
        self._of(i)[0].clear_probes()

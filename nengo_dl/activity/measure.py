"""Measuring how active a network is: it runs once more, and its spikes are counted."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.exceptions import ValidationError

from nengo_dl.activity.counts import Activity, PopulationActivity
from nengo_dl.activity.operations import Operations, operations
from nengo_dl.activity.rate_statistics import FiringRates
from nengo_dl.inputs.endpoints import Endpoints
from nengo_dl.validation import positive_int

#: samples of neurons that are held at once, unless one item has more
_MOST_SAMPLES = 2**24


def measure(
    model: Model,
    data: Mapping[Any, Any],
    endpoints: Endpoints,
    simulator: Callable[[Model, int], Any],
    presented: Any,
    n_steps: Any,
) -> Activity:
    """Return how active a network is; see `nengo_dl.Simulator.activity`.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    data : mapping
        ``sim.data``: weights and encoders.
    endpoints : Endpoints
        The inputs of the simulator.
    simulator : callable
        ``simulator(model, minibatch_size)`` returns a simulator for a model, with the
        present parameters.
    presented : dict, array or None
        Data for the inputs.
    n_steps : int or None
        How long an item is presented.
    """
    inputs, n_items, steps = _checked(endpoints, presented, n_steps)
    ensembles = [
        obj
        for obj in model.params
        if isinstance(obj, nengo.Ensemble)
        and not isinstance(obj.neuron_type, nengo.Direct)
    ]
    with_probes, probes = _with_probes(model, ensembles)
    outputs = [np.zeros((0, e.n_neurons)) for e in ensembles]
    if probes:
        n_samples = steps * sum(e.n_neurons for e in ensembles)
        n_parts = -(-n_items // max(1, _MOST_SAMPLES // n_samples))
        size = -(-n_items // n_parts)
        # what is left over at the end is filled up with the last item
        items = np.minimum(np.arange(n_parts * size), n_items - 1)
        given: Any = {node: array[items] for node, array in inputs.items()}
        with simulator(with_probes, size) as sim:
            found = sim.run_batch(
                given or steps, dict.fromkeys(probes, _means), combine=np.concatenate
            )
        outputs = [found[probe][:n_items] for probe in probes]
    costs = operations(model, data)
    return Activity(
        tuple(
            _population(ensemble, f"Ensemble[{i}]", values, costs, steps, model.dt)
            for i, (ensemble, values) in enumerate(zip(ensembles, outputs, strict=True))
        ),
        n_items,
        steps,
        model.dt,
        costs.analog * steps,
        costs.dense,
    )


def _means(outputs: tf.Tensor) -> tf.Tensor:
    """Return means over time, shape (minibatch_size, n_neurons)."""
    return tf.reduce_mean(tf.abs(tf.cast(outputs, tf.float64)), axis=1)


def _population(
    ensemble: nengo.Ensemble,
    name: str,
    outputs: np.ndarray,
    costs: Operations,
    n_steps: int,
    dt: float,
) -> PopulationActivity:
    neuron_type = ensemble.neuron_type
    firing = FiringRates.of(outputs, neuron_type, dt)
    counts = firing.rates * (n_steps * dt)
    if neuron_type.spiking:
        # amplitude / dt is rounded, and spikes are whole
        whole = np.rint(counts)
        counts = np.where(np.isclose(counts, whole, 1e-5, 1e-4), whole, counts)
        firing = FiringRates(counts / (n_steps * dt), firing.highest)
    counts = counts.mean(axis=0)
    return PopulationActivity(
        ensemble.label or name,
        type(neuron_type).__name__,
        bool(neuron_type.spiking),
        firing,
        counts if neuron_type.spiking else np.zeros_like(counts),
        costs.synapses[ensemble],
        costs.multiplied[ensemble],
        ensemble,
    )


def _checked(
    endpoints: Endpoints, presented: Any, n_steps: Any
) -> tuple[dict[nengo.Node, np.ndarray], int, int]:
    """Return inputs, with as many steps as items are presented for, and both numbers.

    Raises
    ------
    ValidationError
        If data do not fit, or the number of steps is not known.
    """
    steps = None if n_steps is None else positive_int(n_steps, "n_steps")
    # a single item may come without the axis of items where there is no minibatch
    number = None if endpoints.minibatch_size is None else 1
    single = Endpoints(endpoints.nodes, (), number, endpoints.dtype)
    if presented is None or (isinstance(presented, Mapping) and not presented):
        if steps is None:
            raise ValidationError(
                "Expected data for input Nodes, or the number of steps if all have "
                "their own output: `sim.activity(n_steps=100)`",
                attr="n_steps",
            )
        return {}, 1, steps
    data = single.check(presented, None, None, attrs=("data", "data"))
    if steps is None or data.n_steps == steps:
        return data.inputs, data.n_items, data.n_steps
    if data.n_steps != 1:
        raise ValidationError(
            f"The data have {data.n_steps} time steps, got n_steps={steps}. Expected "
            "data of one step, which is presented all the time, or no n_steps",
            attr="n_steps",
        )
    inputs = {node: np.repeat(x, steps, axis=1) for node, x in data.inputs.items()}
    return inputs, data.n_items, steps


def _with_probes(
    model: Model, ensembles: list[nengo.Ensemble]
) -> tuple[Model, list[nengo.Probe]]:
    """Return a copy of a model with Probes of neurons alone; it shares all Signals."""
    copied = copy.copy(model)
    copied.operators, copied.probes = list(model.operators), []
    copied.sig = defaultdict(dict, model.sig)
    copied.params = dict(model.params)
    copied.seeds, copied.seeded = dict(model.seeds), dict(model.seeded)
    probes = []
    for ensemble in ensembles:
        probe = nengo.Probe(ensemble.neurons, add_to_container=False)
        copied.seeds[probe], copied.seeded[probe] = 0, False
        copied.build(probe)
        probes.append(probe)
    return copied, probes

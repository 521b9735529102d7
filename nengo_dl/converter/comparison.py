"""Whether a converted network computes what its Keras model does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf
from keras import KerasTensor

from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.model_data import arrays_of
from nengo_dl.converter.tensor_mapping import TensorMapping
from nengo_dl.lowering.tensor_nodes.variables import is_seed
from nengo_dl.simulator import Simulator
from nengo_dl.validation import finite_number, flag

#: of models whose input may have any number of steps
_STEPS = 10
_EPOCHS, _RATE = 3, 0.1
#: parts of the largest output. Of 40 networks trained with batch normalisation, half
#: differ by less than 3e-7 of it, the worst by 5e-6
_RTOL, _RTOL_TRAINED = 1e-5, 1e-4
#: how many values of Probes are kept at once, unless one item has more
_MOST_VALUES = 2**25
ALL = slice(None)


class Comparison:
    """Outputs of a model and of its network for the same inputs.

    Parameters
    ----------
    conversion : Conversion
        The conversion.
    outputs : TensorMapping
        The Probes of the network.
    inputs : array, sequence of arrays, dict or None
        Inputs, with the batch axis first; None: random numbers.

    Raises
    ------
    ValueError
        If they do not fit the model.
    """

    def __init__(
        self, conversion: Conversion, outputs: TensorMapping, inputs: Any = None
    ) -> None:
        self.conversion = conversion
        self.model = conversion.model
        self.outputs = outputs
        self.temporal = bool(conversion.temporal_model)
        if inputs is None:
            rng = np.random.RandomState(0)
            self.inputs = [_random(tensor, rng) for tensor in self.model.inputs]
        else:
            self.inputs = arrays_of(self.model, inputs)
        self.n_items = len(self.inputs[0])

    @property
    def dtype(self) -> str:
        """The precision of the model."""
        single = any(tensor.dtype != "float64" for tensor in self.model.outputs)
        return "float32" if single else "float64"

    def of_keras(
        self, model: Any = None, items: slice | np.ndarray = ALL
    ) -> list[np.ndarray]:
        """Return all outputs of the model, or of one with the same inputs."""
        model = self.model if model is None else model
        structure = keras.tree.pack_sequence_as(
            model._inputs_struct, [tf.convert_to_tensor(x[items]) for x in self.inputs]
        )
        found = keras.tree.flatten(model(structure, training=False))
        return [np.asarray(keras.ops.convert_to_numpy(y)) for y in found]

    def data(
        self, n_steps: int | None = None, items: slice | np.ndarray = ALL
    ) -> dict[nengo.Node, np.ndarray]:
        """Return the inputs as a simulator gets them.

        Parameters
        ----------
        n_steps : int, optional
            How many steps an item is presented for; not if axis 1 is time.
        items : slice or array of int
            Which items.
        """
        shaped = {}
        for tensor, array in zip(self.model.inputs, self.inputs, strict=True):
            array = array[items]
            if self.temporal:
                values = array.reshape(*array.shape[:2], -1)
            else:
                values = array.reshape(len(array), 1, -1)
                shape = len(array), n_steps or 1, values.shape[-1]
                values = np.broadcast_to(values, shape)
            shaped[self.conversion.inputs[tensor]] = values
        return shaped

    @contextmanager
    def simulator(self, n_items: int | None = None) -> Iterator[Simulator]:
        """Yield a simulator of the network, for all items or some at once."""
        with Simulator(
            self.conversion.net,
            minibatch_size=self.n_items if n_items is None else n_items,
            dtype=self.dtype,
            progress_bar=False,
        ) as sim:
            yield sim

    def of_probes(
        self,
        sim: Simulator,
        probes: Sequence[nengo.Probe],
        n_steps: int | None = None,
        items: slice | np.ndarray = ALL,
    ) -> list[np.ndarray]:
        """Return what probes record for the inputs, shape (items, steps, size)."""
        data = self.data(n_steps, items)
        steps = next(iter(data.values())).shape[1]
        sim.reset(include_probes=True, include_trainable=False)
        sim.run_steps(steps, data=data)
        return [np.array(sim.data[probe]) for probe in probes]

    def in_parts(
        self, probed: Sequence[Any], n_steps: int | None = None
    ) -> Iterator[tuple[Simulator, np.ndarray, list[np.ndarray]]]:
        """Run the network for so many items at once that memory suffices.

        Parameters
        ----------
        probed : sequence of nengo objects or nengo.Probe
            What is recorded; objects get Probes as long as this lasts.
        n_steps : int, optional
            How many steps an item is presented for; not if axis 1 is time.

        Yields
        ------
        sim : Simulator
            The simulator.
        items : np.ndarray of int
            Which items these are.
        recorded : list of np.ndarray, shape (len(items), steps, size)
            What was recorded.
        """
        net = self.conversion.net
        with net:
            probes = [
                obj if isinstance(obj, nengo.Probe) else nengo.Probe(obj)
                for obj in probed
            ]
        steps = self.inputs[0].shape[1] if self.temporal else n_steps or 1
        values = steps * sum(probe.size_in for probe in probes)
        n_parts = -(-self.n_items // max(1, _MOST_VALUES // max(1, values)))
        n_at_once = -(-self.n_items // n_parts)
        try:
            with self.simulator(n_at_once) as sim:
                for start in range(0, self.n_items, n_at_once):
                    items = np.arange(start, start + n_at_once)
                    # the last part is as long as the others, so that nothing is
                    # compiled anew
                    filled = np.minimum(items, self.n_items - 1)
                    recorded = self.of_probes(sim, probes, n_steps, filled)
                    items = items[items < self.n_items]
                    yield sim, items, [values[: len(items)] for values in recorded]
        finally:
            for probe, obj in zip(probes, probed, strict=True):
                if probe is not obj:
                    net.probes.remove(probe)

    def shaped(self, recorded: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Return the last step, or all, in the shape of an output of Keras."""
        values = recorded if self.temporal else recorded[:, -1]
        return values.reshape(like.shape)

    def layer_differences(self) -> list[tuple[KerasTensor, float, float]]:
        """Return the difference of each layer of the top model from Keras' own.

        Returns
        -------
        list of (KerasTensor, float, float)
            Output, largest difference, largest value; those left out that became a part
            of another layer's weights.
        """
        conversion = self.conversion
        tensors = [
            tensor
            for tensor in conversion.layers
            if not any(
                id(call) in conversion.folded
                for call in conversion.graph.consumers.get(id(tensor), ())
            )
            and None not in tensor.shape[conversion.batch_axes :]
        ]
        layers = keras.Model(self.model.inputs, tensors)
        differences, largest = np.zeros((2, len(tensors)))
        objects = [conversion.layers[tensor] for tensor in tensors]
        for _, items, recorded in self.in_parts(objects):
            expected = self.of_keras(layers, items)
            for i, (x, y) in enumerate(zip(expected, recorded, strict=True)):
                found = _difference(self.shaped(y, x), x)
                # not `max`, which loses NaN
                differences[i] = np.maximum(differences[i], found[0])
                largest[i] = np.maximum(largest[i], found[1])
        return [
            (tensor, float(difference), float(most))
            for tensor, difference, most in zip(
                tensors, differences, largest, strict=True
            )
        ]


def passes_values_on(net: nengo.Network) -> bool:
    """Return whether a network has neither spikes nor synapses.

    Its outputs are those of the Keras model in the same step then.
    """
    filtered = any(
        connection.synapse is not None and connection.pre_obj is not connection.post_obj
        for connection in net.all_connections
    ) or any(probe.synapse is not None for probe in net.all_probes)
    return not filtered and not any(
        ensemble.neuron_type.spiking for ensemble in net.all_ensembles
    )


def verify(
    comparison: Comparison, training: bool, atol: float, rtol: float | None
) -> bool:
    """Return True, or raise an error; see `nengo_dl.Converter.verify`."""
    training = flag(training, "training")
    expected_number = "a finite number of at least 0"
    atol = finite_number(atol, "atol", least=0, expected=expected_number)
    if rtol is None:
        rtol = _RTOL_TRAINED if training else _RTOL
    rtol = finite_number(rtol, "rtol", least=0, expected=expected_number)
    probes = [comparison.outputs[t] for t in comparison.model.outputs]
    with comparison.simulator() as sim:
        if training:
            expected, found = _trained(comparison, sim, probes)
        else:
            expected = comparison.of_keras()
            found = comparison.of_probes(sim, probes)
    for tensor, x, y in zip(comparison.model.outputs, expected, found, strict=True):
        difference, largest = _difference(comparison.shaped(y, x), x)
        if not difference <= atol + rtol * largest:
            name = tensor._keras_history.operation.name
            raise ValueError(
                f"The output {name!r} of the network differs from that of the Keras "
                f"model by {difference:g}, where the largest value is {largest:g}"
                f"{_draws(comparison) if training else _first(comparison, atol, rtol)}"
                f"{_why(comparison.conversion)}"
            )
    return True


def _first(comparison: Comparison, atol: float, rtol: float) -> str:
    """Return which layer is the first that differs."""
    for tensor, difference, largest in comparison.layer_differences():
        if not difference <= atol + rtol * largest:
            name = tensor._keras_history.operation.name
            return (
                f". The first layer that differs is {name!r}: by {difference:g} of "
                f"{largest:g}"
            )
    return ""


def _draws(comparison: Comparison) -> str:
    """Return which layers cannot be the same in training, for messages."""
    names = [
        repr(layer.name)
        for layer in comparison.model._flatten_layers(include_self=False)
        if any(map(is_seed, layer.variables))
        and not list(layer._flatten_layers(include_self=False))
    ]
    if not names:
        return ""
    return (
        f". Layers that draw random numbers in training: {', '.join(names)}; a network "
        "draws others than Keras"
    )


def _why(conversion: Conversion) -> str:
    """Return what cannot be equal in a network, for messages."""
    net = conversion.net
    if any(ensemble.neuron_type.spiking for ensemble in net.all_ensembles):
        return (
            ". The network has spiking neurons, whose output is right on average only. "
            "Verify a conversion without `swap_activations`"
        )
    if any(c.synapse is not None for c in (*net.all_connections, *net.all_probes)):
        return (
            ". The network has synapses, whose output comes later. Verify a conversion "
            "without `synapse`"
        )
    names = {str(tensor.dtype) for tensor in conversion.layers}
    coarse = sorted(name for name in names if name in ("float16", "bfloat16"))
    if coarse:
        return (
            f". The model computes in {' and '.join(coarse)}, and the network in "
            "float32; `rtol=1e-2` allows for that"
        )
    if conversion.max_to_avg_pool:
        return ". With max_to_avg_pool=True pooling is another function"
    if conversion.swap_activations:
        return (
            ". Activations that `swap_activations` has put in place of others compute "
            "something else. Verify a conversion without `swap_activations`"
        )
    return ""


def _difference(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Return the largest difference, and the largest value."""
    if not expected.size:
        return 0.0, 0.0
    difference = np.abs(found.astype(np.float64) - expected)
    return float(np.max(difference)), float(np.max(np.abs(expected)))


def _random(tensor: KerasTensor, rng: np.random.RandomState) -> np.ndarray:
    """Return two items for an input."""
    shape = [2, *(_STEPS if n is None else n for n in tensor.shape[1:])]
    if "int" in tensor.dtype or tensor.dtype == "bool":
        return rng.randint(0, 2, size=shape).astype(tensor.dtype)
    return rng.uniform(0, 1, size=shape).astype(tensor.dtype)


def _trained(
    comparison: Comparison, sim: Simulator, probes: list[nengo.Probe]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Train the model and the network alike; return the outputs of both.

    The model gets its weights back, and its optimizer is not touched.

    Raises
    ------
    ValueError
        If they have different numbers of trainable values.
    """
    model = comparison.model
    of_keras = sum(math.prod(v.shape) for v in model.trainable_variables)
    of_nengo = sum(math.prod(v.shape) for v in sim.keras_model.trainable_variables)
    if of_keras != of_nengo:
        raise ValueError(
            f"The Keras model has {of_keras} trainable values, and the network "
            f"{of_nengo}"
        )
    data = comparison.data()
    steps = next(iter(data.values())).shape[1]
    targets = {
        probe: np.ones((comparison.n_items, steps, probe.size_in)) for probe in probes
    }
    sim.compile(optimizer=keras.optimizers.SGD(_RATE), loss="mse")
    sim.fit(data, targets, epochs=_EPOCHS, verbose=0)
    former = [np.asarray(tf.convert_to_tensor(v)) for v in model.variables]
    try:
        _train_keras(comparison)
        expected = comparison.of_keras()
    finally:
        for variable, value in zip(model.variables, former, strict=True):
            variable.assign(value)
    return expected, comparison.of_probes(sim, probes)


def _train_keras(comparison: Comparison) -> None:
    """Go down the gradient of the mean squared difference from ones."""
    model = comparison.model
    structure = keras.tree.pack_sequence_as(
        model._inputs_struct, [tf.convert_to_tensor(x) for x in comparison.inputs]
    )
    variables = model.trainable_variables
    for _ in range(_EPOCHS):
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(model(structure, training=True))
            losses = [tf.reduce_mean((y - 1) ** 2) for y in outputs]
            # of regularizers, and of `add_loss`
            losses += [tf.reduce_sum(loss) for loss in model.losses]
            loss = tf.add_n(losses)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        for variable, gradient in zip(variables, gradients, strict=True):
            if gradient is not None:
                # of the rows of an Embedding, it comes in slices
                step = _RATE * tf.convert_to_tensor(gradient)
                variable.assign(variable - step)
                if variable.constraint is not None:
                    variable.assign(variable.constraint(variable))

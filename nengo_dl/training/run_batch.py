"""``run_batch``: functions of a model's outputs, minibatch by minibatch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.inputs.blocks import rows_of
from nengo_dl.inputs.endpoints import Endpoints, TrainingData
from nengo_dl.inputs.names import listing
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.program import Program
from nengo_dl.program.python_errors import as_raised
from nengo_dl.program.traces import Traced, Traces
from nengo_dl.program.value_keys import value_key
from nengo_dl.program.xla_support import Xla
from nengo_dl.simulation.runner import Runner
from nengo_dl.training.model_function import ModelFunction, ModelFunctions
from nengo_dl.training.of_probes import OfProbes, of_probes


def resolve(
    outputs: Any, endpoints: Endpoints, targets: Collection[nengo.Probe]
) -> dict[Any, OfProbes]:
    """Return the functions to compute for each minibatch, under the users' keys.

    Parameters
    ----------
    outputs : dict of {Probe, str or tuple: callable or None}
        ``f(outputs)`` or ``f(outputs, targets)``, of lists if the key is a tuple; None
        for the outputs themselves.
    endpoints : Endpoints
        The inputs and outputs of the simulator.
    targets : collection of Probe
        Those that have targets.

    Raises
    ------
    ValidationError
        If a Probe is not known, a function cannot be called, or targets are missing.
    """
    if not isinstance(outputs, Mapping) or not outputs:
        raise ValidationError(
            f"Expected a dict {{probe: f}} or {{probe: None}}, got {outputs!r}; the "
            f"Probes are {listing(endpoints.probes, endpoints.names)}",
            attr="outputs",
        )
    wanted = {}
    for key, own in of_probes(outputs, endpoints.outputs, "outputs"):
        if own.function is not None and own.function.uses_targets:
            own.check_targets(targets, "outputs")
        wanted[key] = own
    return wanted


class Batches:
    """Run minibatches, one after the other.

    Parameters
    ----------
    functions : ModelFunctions
        The model as functions of parameters, state and inputs.
    runner : Runner
        The simulation.
    program : Program
        Its program.
    traces : Traces
        Where compiled functions are kept.
    """

    def __init__(
        self,
        functions: ModelFunctions,
        runner: Runner,
        program: Program,
        traces: Traces,
    ) -> None:
        self._traces = traces
        self._model_functions = functions
        self._runner = runner
        self._program = program

    def run(
        self,
        data: TrainingData,
        outputs: Mapping[Any, OfProbes],
        orders: Iterable[np.ndarray],
        truncation: int | None,
        training: bool,
        as_rates: bool,
        isolate_state: bool,
        seed: int,
    ) -> Iterator[dict[Any, Any]]:
        """Yield what is wanted of each minibatch, or of each part of it.

        Parameters
        ----------
        data : TrainingData
            Inputs and targets.
        outputs : mapping of object to OfProbes
            What is wanted.
        orders : iterable of np.ndarray, shape (n_items,)
            The items of the minibatches of each epoch.
        truncation : int or None
            Steps in one part; None: minibatches are not divided.
        training : bool
            Whether rates, or spikes with surrogate gradients, stand in for spikes.
        as_rates : bool
            Whether rates stand in for spikes outside of training, too.
        isolate_state : bool
            Whether each minibatch starts in the initial state, but for what was learned
            online; that goes on, unless it is ``training``. If not, it goes on where
            the one before it ended, the first where the simulation is, and so does the
            simulation.
        seed : int
            Of everything random.

        Yields
        ------
        dict
            Arrays, or structures of them, by the keys of ``outputs``.
        """
        function = self._model_functions.of(
            (p for o in outputs.values() for p in o.probes),
            training,
            as_rates=as_rates,
        )
        function.rewind(seed)
        xla = Xla(function.jit_compile)
        store, batch = self._runner.store, self._program.minibatch_size
        length = truncation or data.n_steps
        learns = not training and store.learns
        state: Tensors = store.state
        first = self._runner.n_steps
        for order in orders:
            for start in range(0, len(order) - batch + 1, batch):
                items = order[start : start + batch]
                if isolate_state:
                    state, first = store.fresh_state, 0
                for begin in range(0, data.n_steps, length):
                    part = slice(begin, min(begin + length, data.n_steps))
                    goes_on = part.stop < data.n_steps or not isolate_state or learns
                    results, state = self._part(
                        function, outputs, data, items, part, state, first, goes_on, xla
                    )
                    first += part.stop - part.start
                    if not isolate_state:
                        store.state = list(state)
                        self._runner.n_steps = first
                    elif learns:
                        store.state = store.with_learned(store.state, state)
                    yield results

    def _part(
        self,
        function: ModelFunction,
        outputs: Mapping[Any, OfProbes],
        data: TrainingData,
        items: np.ndarray,
        steps: slice,
        state: Tensors,
        first_step: int,
        keep_state: bool,
        xla: Xla,
    ) -> tuple[dict[Any, Any], Tensors]:
        """Run some steps of some items; return what is wanted, and where they end."""
        n_steps = steps.stop - steps.start
        read = (items[function.own_items], steps)
        presented = {node: rows_of(a, read) for node, a in data.inputs.items()}
        chosen = (items, steps)
        targets = {probe: rows_of(a, chosen) for probe, a in data.targets.items()}
        generated = function.generate(presented, n_steps, first_step=first_step)
        dtype = self._program.dtype
        given = [
            self._runner.store.param_values(),
            state,
            [tf.constant(array, dtype) for array in presented.values()],
            [tf.constant(array, dtype) for array in targets.values()],
            [tf.constant(array[0]) for array in generated.values()],
            tf.constant(first_step),
        ]
        structure = tf.nest.map_structure(lambda _: 0, given)

        def run(*flat: tf.Tensor) -> tuple[list, Tensors]:
            params, before, data, wanted, own, first = tf.nest.pack_sequence_as(
                structure, flat
            )
            inputs = dict(zip((*presented, *generated), (*data, *own), strict=True))
            seen, end = function(
                params, before, inputs, n_steps, first, keep_state, gradients="none"
            )
            compared = dict(zip(targets, wanted, strict=True))
            found = [_output(own, seen, compared) for own in outputs.values()]
            return found, end if keep_state else []

        def key() -> tuple:
            places = {p: i for i, p in enumerate(function.through_time.outputs)}
            computed = ["run_batch", list(outputs.values()), list(targets)]
            return (
                value_key(computed, places),
                function.key,
                function.places(presented),
                (n_steps, keep_state),
            )

        results, end = self._call(run, key, tf.nest.flatten(given), xla)
        arrays = tf.nest.map_structure(lambda tensor: tensor.numpy(), results)
        return dict(zip(outputs, arrays, strict=True)), end if keep_state else state

    def _call(
        self,
        run: Callable[..., Any],
        key: Callable[[], tuple],
        arguments: Sequence[tf.Tensor],
        xla: Xla,
    ) -> Any:
        """Return what a function of tensors returns, compiled once for each key."""
        specs = [tf.TensorSpec(t.shape, t.dtype) for t in arguments]
        device = self._program.device

        def compiled() -> Traced:
            shapes = tuple((tuple(spec.shape), spec.dtype.name) for spec in specs)
            return self._traces.get(
                lambda: (*key(), shapes, device, xla.used),
                lambda: Traced(run, specs, (), xla.used),
            )

        with tf.device(device), as_raised():
            traced = compiled()
            try:
                flat = traced(arguments, ())
            except tf.errors.OpError as error:
                xla.give_up(error)
                traced = compiled()
                flat = traced(arguments, ())
        return tf.nest.pack_sequence_as(traced.structure, list(flat))


def _output(
    own: OfProbes,
    outputs: Mapping[nengo.Probe, tf.Tensor],
    targets: Mapping[nengo.Probe, tf.Tensor],
) -> Any:
    """Apply a function to outputs; without one, return the outputs themselves."""
    seen, given = own.arguments(
        [outputs[probe] for probe in own.probes],
        [targets.get(probe) for probe in own.probes],
    )
    return seen if own.function is None else own.function.call(seen, given)


def check_stacked(
    values: Mapping[Any, Any],
    first: Mapping[Any, Any],
    truncation: int | None,
    n_steps: int,
) -> None:
    """Refuse results that do not become one array with those before them.

    Parameters
    ----------
    values, first : dict
        What `Batches.run` yielded now, and at first.
    truncation : int or None
        Steps in one part.
    n_steps : int
        Steps of an item.

    Raises
    ------
    ValidationError
        If shapes differ.
    """
    for key, value in values.items():
        shapes = [
            [np.shape(array) for array in tf.nest.flatten(own)]
            for own in (first[key], value)
        ]
        if shapes[0] == shapes[1]:
            continue
        was, now = (", ".join(map(str, own)) for own in shapes)
        differ = (
            f"results for {key} have shape {was} at first and {now} later, which "
            "cannot be stacked as one array"
        )
        if truncation and n_steps % truncation:
            raise ValidationError(
                f"Got {truncation} for items of {n_steps} steps, so that the last part "
                f"of each is shorter: {differ}. Expected a number that {n_steps} is a "
                "multiple of, a function whose result has the same shape for each "
                "part, or `combine=list`, which returns the parts as they are",
                attr="truncation",
            )
        raise ValidationError(
            f"The {differ}. Expected a function whose result has the same shape each "
            "time, or `combine=list`, which returns the results as they are",
            attr="outputs",
        )


def combined(
    minibatches: Sequence[Mapping[Any, Any]], combine: Callable[[list], Any]
) -> dict[Any, Any]:
    """Combine the results of all minibatches, one entry for each key.

    Parameters
    ----------
    minibatches : sequence of dict
        What `Batches.run` yielded.
    combine : callable
        Makes one value of a list; where there are several members, of each.
    """
    found: dict[Any, Any] = {}
    for key in minibatches[0]:
        values = [minibatch[key] for minibatch in minibatches]
        if isinstance(values[0], list | tuple):
            members = zip(*values, strict=True)
            found[key] = type(values[0])(combine(list(member)) for member in members)
        else:
            found[key] = combine(values)
    return found

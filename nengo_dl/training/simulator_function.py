"""The network of a simulator as a pure function, for loops that users write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.distribution.scope import refuse_in_replica
from nengo_dl.inputs.checks import real_tensor
from nengo_dl.inputs.endpoints import Endpoints
from nengo_dl.inputs.names import listing
from nengo_dl.program.adjoint import Tensors
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.model_function import ModelFunction, differs
from nengo_dl.validation import (
    positive_int,
    refused,
    seed_number,
    whole_number,
)


class SimulatorFunction:
    """A network as a pure, differentiable function of parameters, state and inputs.

    `Simulator.function` makes it. It changes nothing: whoever calls it holds parameters
    and state, and hands them on. Gradients go back through time to parameters, state
    and inputs. Within a `tf.function` it is one graph, which XLA compiles if
    ``jit_compile`` is True; called directly, TensorFlow runs it operation by operation.

    Parameters
    ----------
    function : ModelFunction
        The model as all training calls it.
    store : StateStore
        The parameters and the state of the simulation.
    endpoints : Endpoints
        The inputs and outputs of the simulator.

    Attributes
    ----------
    nodes : tuple of nengo.Node
        The Nodes that data can be presented to.
    probes : tuple of nengo.Probe
        Whose outputs it returns.
    minibatch_size : int
        Number of items, the first axis of data, outputs and state.
    dtype : tf.DType
        Floating point type of parameters, data and outputs.
    trainable : tuple of bool
        Which of `params` an optimizer may change.
    jit_compile : bool
        Whether XLA can compile it, and was not switched off.

    Examples
    --------
    The gradient of an output with respect to an input:

    >>> import nengo, nengo_dl, tensorflow as tf
    >>> with nengo.Network(seed=0) as net:
    ...     node = nengo.Node([0])
    ...     probe = nengo.Probe(node, synapse=None)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     f = sim.function(probe)
    ...     x = tf.ones((1, 3, 1))  # items, time steps, dimensions
    ...     with tf.GradientTape() as tape:
    ...         tape.watch(x)
    ...         outputs, state = f(f.params, None, {node: x})
    ...         total = tf.reduce_sum(outputs[probe] ** 2)
    >>> tape.gradient(total, x).numpy().ravel().tolist()
    [2.0, 2.0, 2.0]
    """

    def __init__(
        self, function: ModelFunction, store: StateStore, endpoints: Endpoints
    ) -> None:
        self._function, self._store, self._endpoints = function, store, endpoints
        self.nodes = endpoints.nodes
        self.probes = tuple(function.through_time.outputs)
        self.minibatch_size = function.minibatch_size
        self.dtype = function.dtype
        self.trainable = tuple(bool(v.trainable) for v in store.variables)
        self.jit_compile = function.jit_compile

    @property
    def params(self) -> list[tf.Tensor]:
        """Current parameters of the simulation, shape (size,) each.

        A tensor holds the parameters of one kind: weights, encoders, biases. They are
        copied each time: a `tf.GradientTape` has to watch the very tensors that the
        function is called with, ``params = f.params``.
        """
        return [tf.identity(variable) for variable in self._store.variables]

    @property
    def state(self) -> list[tf.Tensor]:
        """Current state of the simulation, shape (minibatch_size, size) each."""
        return list(self._store.state)

    @property
    def initial_state(self) -> list[tf.Tensor]:
        """State at the beginning of a simulation, shape (minibatch_size, size) each."""
        return self._store.fresh_state

    # within a `tf.function` of the user's, AutoGraph would rewrite what it calls
    @tf.autograph.experimental.do_not_convert
    def __call__(
        self,
        params: Tensors,
        state: Tensors | None,
        inputs: Mapping[Any, Any],
        n_steps: int | None = None,
        first_step: int | tf.Tensor = 0,
    ) -> tuple[dict[nengo.Probe, tf.Tensor], list[tf.Tensor]]:
        """Run some time steps of one minibatch.

        Parameters
        ----------
        params : sequence of tf.Tensor or tf.Variable, shape (size,)
            The parameters, as `params` returns them.
        state : sequence of tf.Tensor, shape (minibatch_size, size), or None
            Where to start, as `state` or an earlier call returned it; None: at the
            beginning of a simulation with these parameters.
        inputs : dict of {Node or str: tf.Tensor}, shape (minibatch_size, n_steps, size)
            What to present, and what `generate` returned. Nodes that are not here have
            their own output.
        n_steps : int, optional
            How many steps; needed where there are no data.
        first_step : int or tf.Tensor, optional
            Number of the time step before the first.

        Returns
        -------
        outputs : dict of {Probe: tf.Tensor}, shape (minibatch_size, n_steps, ...)
            What the Probes see in each step; in the last one alone if they keep no
            history.
        state : list of tf.Tensor, shape (minibatch_size, size)
            Where it ends.

        Raises
        ------
        ValidationError
            If an argument does not fit, or if random numbers would have to be drawn
            while a graph is traced; `generate` draws them before.
        SimulationError
            If ``strategy.run`` calls it, though it divides minibatches itself.

        Examples
        --------
        Two parts of a simulation, of which the second goes on where the first ended:

        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([1])
        ...     probe = nengo.Probe(node, synapse=nengo.Lowpass(0.01))
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     f = sim.function(probe)
        ...     first, state = f(f.params, f.initial_state, {}, n_steps=5)
        ...     second, _ = f(f.params, state, {}, n_steps=5, first_step=5)
        ...     sim.run_steps(10)
        >>> values = np.concatenate([first[probe][0], second[probe][0]])
        >>> bool(np.allclose(values, sim.data[probe]))
        True
        """
        if self._function.replicas is not None:
            refuse_in_replica("a function is called")
        given, n_steps = self._inputs(inputs, n_steps)
        params = self._checked(params)
        first_step = _step_number(first_step)
        nodes = [key for key in given if isinstance(key, nengo.Node)]
        generated = self._function.generated(nodes)
        missing = [item for item in generated if item.signal not in given]
        if missing:
            if not tf.executing_eagerly() and any(map(differs, missing)):
                raise ValidationError(
                    "Random inputs cannot be drawn while a graph is traced: it would "
                    "have the same numbers in each call. Draw them before each call, "
                    "`fed = f.generate(n_steps)`, and hand them in, `{**data, **fed}`",
                    attr="inputs",
                )
            given.update(self.generate(n_steps, nodes, first_step))
        n_blocks = len(self._store.params)
        if state is None:
            state = self._store.begin(self._store.fresh_state, params[n_blocks:])
        else:
            state = self._tensors(state, self._store.fresh_state, "state", "f.state")
        outputs, end = self._function(
            params[:n_blocks], state, given, n_steps, first_step
        )
        return outputs, list(end)

    def generate(
        self,
        n_steps: int,
        presented: Collection[Any] = (),
        first_step: int | tf.Tensor = 0,
    ) -> dict[Signal, tf.Tensor]:
        """Compute what Nodes and Processes put out, and draw random numbers.

        Parameters
        ----------
        n_steps : int
            How many steps.
        presented : collection of Node or str, optional
            Nodes that data will be presented to.
        first_step : int, optional
            Number of the time step before the first.

        Returns
        -------
        dict of {Signal: tf.Tensor}, shape (minibatch_size or 1, n_steps, size)
            For the ``inputs`` of the next call. Each call draws new numbers.

        Raises
        ------
        ValidationError
            If an argument does not fit, or ``first_step`` is a tensor in a graph that
            is being traced.
        SimulationError
            If a Python function of a Node fails.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        ...     probe = nengo.Probe(noise, synapse=None)
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     f = sim.function(probe)
        ...     fed = f.generate(n_steps=3)
        ...     outputs, state = f(f.params, f.initial_state, fed, n_steps=3)
        >>> [tuple(values.shape) for values in fed.values()]
        [(2, 3, 1)]
        """
        first_step = _step_number(first_step)
        if tf.is_tensor(first_step):
            value = tf.get_static_value(first_step)
            if value is None:
                raise ValidationError(
                    "Functions of time cannot be called for a time that is not known "
                    "while a graph is traced. Call `f.generate(n_steps, "
                    "first_step=...)` before, and hand in what it returns",
                    attr="first_step",
                )
            first_step = int(value)
        if isinstance(presented, str | bytes) or not isinstance(presented, Collection):
            raise refused(presented, "presented", "a list of Nodes")
        nodes = [self._endpoints.inputs.find(node, "presented") for node in presented]
        n_steps = positive_int(n_steps, "n_steps")
        values = self._function.generate(nodes, n_steps, first_step=first_step)
        return {signal: tf.constant(array[0]) for signal, array in values.items()}

    def rewind(self, seed: int) -> None:
        """Start all random streams anew, as a simulator with this seed would.

        Parameters
        ----------
        seed : int
            The seed.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        ...     probe = nengo.Probe(noise, synapse=None)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     f = sim.function(probe)
        ...     drawn = []
        ...     for _ in range(2):
        ...         f.rewind(seed=7)
        ...         drawn += f.generate(n_steps=3).values()
        >>> bool(np.array_equal(*drawn))
        True
        """
        self._function.rewind(seed_number(seed))

    def assign(self, params: Sequence[Any]) -> None:
        """Give the simulation other parameters.

        Parameters
        ----------
        params : sequence of tf.Tensor or np.ndarray, shape (size,)
            As `params` returns them.

        Raises
        ------
        ValidationError
            If their number or a shape differs; nothing has changed then.

        Examples
        --------
        >>> import nengo, nengo_dl, tensorflow as tf
        >>> with nengo.Network(seed=0) as net:
        ...     ensemble = nengo.Ensemble(5, 1)
        ...     probe = nengo.Probe(ensemble.neurons)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     f = sim.function(probe)
        ...     f.assign([tf.zeros_like(values) for values in f.params])
        ...     print(sim.data[ensemble].bias)
        [0. 0. 0. 0. 0.]
        """
        values = self._checked(params)
        for variable, value in zip(self._store.variables, values, strict=True):
            variable.assign(value)
        self._store.changed()

    def _inputs(
        self, inputs: Mapping[Any, Any], n_steps: int | None
    ) -> tuple[dict[Any, tf.Tensor], int]:
        """Return inputs by Node and Signal, and the number of steps."""
        if not isinstance(inputs, Mapping):
            raise ValidationError(
                f"Expected a dict {{Node: tensor}}, got {inputs!r:.100}; the input "
                f"Nodes are {listing(self.nodes)}",
                attr="inputs",
            )
        given: dict[Any, tf.Tensor] = {}
        if n_steps is not None:
            n_steps = positive_int(n_steps, "n_steps")
        signals = {k: v for k, v in inputs.items() if isinstance(k, Signal)}
        for key, values in inputs.items():
            if key in signals:
                continue
            node = self._endpoints.inputs.find(key, "inputs")
            expected = f"({self.minibatch_size}, n_steps, {node.size_out})"
            what = f"Data for {node}"
            tensor = real_tensor(values, self.dtype, what, expected, "inputs")
            shape = tuple(tensor.shape)
            steps = shape[1] if len(shape) == 3 and n_steps is None else n_steps
            if shape != (self.minibatch_size, steps, node.size_out):
                raise ValidationError(
                    f"Data for {node} have shape {shape}; expected "
                    f"({self.minibatch_size}, {steps or 'n_steps'}, {node.size_out}): "
                    "(minibatch_size, n_steps, size)",
                    attr="inputs",
                )
            given[node], n_steps = tensor, steps
        if n_steps is None:
            raise ValidationError(
                "The number of time steps is not known: give data for an input Node, "
                f"or n_steps; the input Nodes are {listing(self.nodes)}",
                attr="n_steps",
            )
        given |= {k: self._generated(k, v, n_steps) for k, v in signals.items()}
        return given, n_steps

    def _generated(self, signal: Signal, values: Any, n_steps: int) -> tf.Tensor:
        """Return what `generate` has returned for one Signal, if it fits the call."""
        if all(item.signal is not signal for item in self._function.fed):
            raise ValidationError(
                f"{signal} is no input of this function. Expected what its own "
                "`f.generate(n_steps)` returns: each simulator has Signals of its own",
                attr="inputs",
            )
        shapes = [(n, n_steps, signal.size) for n in {1, self.minibatch_size}]
        expected = " or ".join(map(str, sorted(shapes, reverse=True)))
        what = f"Generated values of {signal}"
        tensor = real_tensor(values, self.dtype, what, expected, "inputs")
        if tuple(tensor.shape) not in shapes:
            raise ValidationError(
                f"{what} have shape {tuple(tensor.shape)}; expected {expected}, as "
                f"`f.generate({n_steps})` returns them",
                attr="inputs",
            )
        return tensor

    def _checked(self, params: Any) -> list[tf.Tensor]:
        """Return parameters as tensors, if they have the right shapes."""
        return self._tensors(params, self._store.variables, "params", "f.params")

    def _tensors(
        self, given: Any, like: Sequence[Any], attr: str, origin: str
    ) -> list[tf.Tensor]:
        """Return tensors of the types and shapes of others.

        Parameters
        ----------
        given : sequence of tf.Tensor or np.ndarray
            What the user gives.
        like : sequence of tf.Tensor or tf.Variable
            The others.
        attr, origin : str
            The argument, and what returns what it can be.
        """
        several = isinstance(given, Iterable) and not isinstance(given, str | bytes)
        if not several or (tf.is_tensor(given) and not given.shape.rank):
            raise refused(given, attr, f"a list of tensors, as `{origin}` returns them")
        found = list(given)
        shapes = [tuple(np.shape(values)) for values in found]
        expected = [tuple(values.shape) for values in like]
        if shapes != expected:
            raise ValidationError(
                f"Got {_WORDS[attr]} of shapes {shapes}; expected {expected}, as "
                f"`{origin}` returns them",
                attr=attr,
            )
        return [
            real_tensor(values, own.dtype, f"Values in `{attr}`", str(shape), attr)
            for values, own, shape in zip(found, like, expected, strict=True)
        ]


_WORDS = {"params": "parameters", "state": "states"}


def _step_number(value: Any) -> Any:
    """Return the number of a time step, or a tensor that will be one."""
    if not tf.is_tensor(value):
        return whole_number(value, "first_step")
    if value.shape.rank or not value.dtype.is_integer:
        raise refused(value, "first_step", "a whole number, or a tensor that is one")
    return value

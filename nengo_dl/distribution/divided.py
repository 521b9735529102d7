"""Functions of a minibatch that replicas compute part by part, with all derivatives.

The gradient of such a function is one, too: of what is shared it is a sum over the
parts, and of items it is there for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import tensorflow as tf
from nengo.exceptions import SimulationError
from tensorflow.python.eager import record
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from nengo_dl.distribution.replicas import Replicas, Tensors, traced

Function = Callable[..., Tensors]

#: what gradients are wanted of: nothing, parameters, or state and inputs of items, too
Gradients = Literal["none", "params", "all"]


def run(
    replicas: Replicas,
    function: Function,
    shared: Tensors,
    items: Tensors,
    n_outputs: int,
    gradients: Gradients = "none",
    local: Tensors = (),
    plain: Function | None = None,
) -> list[tf.Tensor]:
    """Compute a function of a minibatch part by part, and gather what comes out.

    To be called while a graph is traced. Gradients are summed over the replicas by one
    collective for each type, for all of ``shared`` together; so are the outputs
    gathered.

    Parameters
    ----------
    replicas : Replicas
        What divides the minibatch.
    function : callable
        ``function(*shared, *items, *local)`` of one part, compiled by XLA or not;
        returns tensors of shape (part, ...).
    shared : sequence of tf.Tensor
        What is the same for all items: parameters.
    items : sequence of tf.Tensor, shape (minibatch_size, ...)
        What each item has of its own.
    n_outputs : int
        How many of the tensors that come first in the results are wanted.
    gradients : {"none", "params", "all"}
        What gradients will be asked for: of ``shared`` alone, or of ``items``, too.
    local : sequence of tf.Tensor, shape (n_rows, ...)
        What the items that this process computes have besides: data that it has
        read for them alone. There are no gradients of it.
    plain : callable, optional
        The same function as XLA does not compile it, for gradients of gradients:
        those of loops over time are beyond XLA.

    Returns
    -------
    list of tf.Tensor, shape (minibatch_size, ...)
        What the function returns.

    Raises
    ------
    SimulationError
        If XLA is to compile what calls this, or TensorFlow to run it in parallel.
    """
    _check_caller()
    if gradients == "none":
        parts = replicas.strategy.run(
            lambda: list(
                function(*shared, *replicas.of_whole(items), *replicas.of_local(local))
            )[:n_outputs]
        )
        return replicas.gathered(parts)
    asked = _asked(shared, items, gradients)
    own = _Divided(replicas, function, asked, len(shared), n_outputs, local, plain)
    return own(*shared, *items)


@dataclass(frozen=True, eq=False)
class _Divided:
    """A differentiable function of what is shared, followed by what items have.

    Attributes
    ----------
    replicas, function, n_outputs, local, plain
        See `run`.
    asked : sequence of bool
        Of what gradients are asked for.
    n_shared : int
        How many of the arguments are the same for all items.
    n_summed : int
        How many of the tensors that come first in the results are sums over items.
    """

    replicas: Replicas
    function: Function
    asked: Sequence[bool]
    n_shared: int
    n_outputs: int
    local: Tensors
    plain: Function | None = None
    n_summed: int = 0

    def __call__(self, *flat: tf.Tensor) -> list[tf.Tensor]:
        found = tf.custom_gradient(self._run)(*flat)
        return list(found) if isinstance(found, list | tuple) else [found]

    def _run(self, *flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
        forward: dict[int, tuple] = {}
        replicas = self.replicas

        def watched() -> tuple[tf.GradientTape, list[tf.Tensor], list[tf.Tensor]]:
            items = replicas.of_whole(flat[self.n_shared :])
            own = [*flat[: self.n_shared], *items]
            return self._watched(self.function, own, replicas.of_local(self.local))

        def compute() -> list[tf.Tensor]:
            forward[_key()] = watched()
            return forward[_key()][-1]

        outputs = replicas.whole(replicas.strategy.run(compute), self.n_summed)

        def backward(*upstream: tf.Tensor) -> list[tf.Tensor | None]:
            if not any(self.asked):
                return [None] * len(flat)
            _check_caller()
            # losses that call Python hand back slopes without a shape
            pairs = zip(upstream, outputs, strict=True)
            ups = [tf.ensure_shape(up, y.shape) for up, y in pairs if _is_float(y)]

            def compute() -> list[tf.Tensor]:
                # a tape gives gradients once; for others it is computed anew
                tape, wanted, found = forward.pop(_key(), None) or watched()
                items = replicas.of_whole(ups[self.n_summed :])
                return _slopes(tape, wanted, found, [*ups[: self.n_summed], *items])

            own = self._slope(len(flat), len(ups))
            given = self._side_by_side(flat, ups)
            return _spread(own.known(compute, given), self.asked)

        return outputs, backward

    def known(self, compute: Callable[[], Tensors], flat: Tensors) -> Tensors:
        """Return what it returns, computed by something else for each replica."""

        @tf.custom_gradient
        def known(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
            _check_graph()
            found = self.replicas.whole(
                self.replicas.strategy.run(compute), self.n_summed
            )

            def backward(*upstream: tf.Tensor) -> list[tf.Tensor | None]:
                _check_graph()
                pairs = zip(flat, self.asked, strict=True)
                wanted = [tensor for tensor, is_asked in pairs if is_asked]
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(wanted)
                    found = self(*flat)
                return _spread(_slopes(tape, wanted, found, upstream), self.asked)

            return found, backward

        return known(*flat)

    def _slope(self, n_given: int, n_ups: int) -> _Divided:
        """Return the function that gives the gradient.

        Its arguments are those of this one, and upstream gradients of its results.
        """
        n_shared, n_summed = self.n_shared, self.n_summed
        bounds = (0, n_shared, n_shared + n_summed, n_given + n_summed, n_given + n_ups)
        function = self.plain or self.function

        def slope(*own: tf.Tensor) -> list[tf.Tensor]:
            shared, first, items, others = (
                own[start:stop] for start, stop in pairwise(bounds)
            )
            kept = self._watched(function, [*shared, *items], own[bounds[-1] :])
            return _slopes(*kept, [*first, *others])

        return _Divided(
            self.replicas,
            slope,
            self._side_by_side(self.asked, [True] * n_ups),
            n_shared + n_summed,
            sum(self.asked),
            self.local,
            n_summed=sum(self.asked[:n_shared]),
        )

    def _watched(
        self, function: Function, own: Tensors, local: Tensors
    ) -> tuple[tf.GradientTape, list[tf.Tensor], list[tf.Tensor]]:
        """Return a part of the results, with the tape that has watched."""
        wanted = [t for t, is_asked in zip(own, self.asked, strict=True) if is_asked]
        # not a persistent one, for which TensorFlow would hand all that is between out
        # of the compiled part, which XLA cannot do with lists
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            found = list(function(*own, *local))[: self.n_outputs]
        return tape, wanted, found

    def _side_by_side(self, flat: Sequence[Any], ups: Sequence[Any]) -> list[Any]:
        """Return something of arguments and of upstream gradients: first the shared."""
        n_shared, n_summed = self.n_shared, self.n_summed
        return [
            *flat[:n_shared],
            *ups[:n_summed],
            *flat[n_shared:],
            *ups[n_summed:],
        ]


def eagerly(
    replicas: Replicas,
    function: Function,
    n_outputs: int,
    gradients: Gradients,
    plain: Function | None = None,
) -> Callable[..., list[tf.Tensor]]:
    """Return `run` for eager execution, traced; operation by operation it is slow.

    TensorFlow (2.21) makes a graph of its own for the gradient of a function that
    is called eagerly, and loses its inputs where collectives are among its
    operations: all gradients are None. So the gradient is a function here, which
    computes what it needs anew.

    Parameters
    ----------
    replicas, function, n_outputs, gradients, plain
        See `run`.

    Returns
    -------
    callable
        ``run(shared, items, local)``, see `run`.
    """
    known: dict[Any, Callable[..., list[tf.Tensor]]] = {}

    def call(shared: Tensors, items: Tensors, local: Tensors = ()) -> list[tf.Tensor]:
        n_shared, n_items = len(shared), len(items)

        def whole(gradients: Gradients, *flat: tf.Tensor) -> list[tf.Tensor]:
            given = flat[:n_shared], flat[n_shared:][:n_items]
            own = flat[n_shared + n_items :]
            return run(replicas, function, *given, n_outputs, gradients, own, plain)

        if not known:
            asked = [*_asked(shared, items, gradients), *[False] * len(local)]
            value, differentiable = partial(whole, "none"), partial(whole, gradients)
            known[None] = _eager(differentiable, asked, value)
        return known[None](*shared, *items, *local)

    return call


def _eager(
    function: Function, asked: Sequence[bool], value: Function | None = None
) -> Callable[..., list[tf.Tensor]]:
    """Return a function to be called eagerly, whose gradient is one, too.

    Parameters
    ----------
    function : callable
        What it computes, differentiable in a graph.
    asked : sequence of bool
        Of which arguments gradients are asked for.
    value : callable, optional
        The same without gradients, which is faster.
    """
    forward: list[Callable[..., list[tf.Tensor]]] = []
    gradient: list[Callable[..., list[tf.Tensor]]] = []

    def slopes(*given: tf.Tensor) -> list[tf.Tensor]:
        flat, ups = given[: len(asked)], given[len(asked) :]
        wanted = [t for t, is_asked in zip(flat, asked, strict=True) if is_asked]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            found = function(*flat)
        return _slopes(tape, wanted, found, ups)

    @tf.custom_gradient
    def call(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
        _check_caller()
        if not forward:  # not below, where the tapes in it would record nothing
            specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in flat]
            forward.append(traced(value or function).get_concrete_function(*specs))
        # what differentiates this is below, and not in the graph
        with record.stop_recording():
            outputs = forward[0](*flat)

        def backward(*upstream: tf.Tensor) -> list[tf.Tensor | None]:
            pairs = zip(upstream, outputs, strict=True)
            ups = [up for up, y in pairs if _is_float(y)]
            if not gradient:
                gradient.append(_eager(slopes, [*asked, *[True] * len(ups)]))
            return _spread(gradient[0](*flat, *ups), asked)

        return outputs, backward

    return lambda *flat: list(call(*flat))


def _asked(shared: Tensors, items: Tensors, gradients: Gradients) -> list[bool]:
    """Return of which arguments gradients are asked for."""
    of_items = [gradients == "all" and _is_float(tensor) for tensor in items]
    return [*(gradients != "none" and _is_float(t) for t in shared), *of_items]


def _slopes(
    tape: tf.GradientTape, wanted: Tensors, found: Tensors, upstream: Tensors
) -> list[tf.Tensor]:
    """Return the gradients of what was found, zeros where there are none."""
    floats = [y for y in found if _is_float(y)]
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(floats, wanted, upstream, unconnected_gradients=zero)


def _spread(slopes: Tensors, asked: Sequence[bool]) -> list[tf.Tensor | None]:
    """Return gradients of all arguments: None where nobody asks for one."""
    found = iter(slopes)
    return [next(found) if is_asked else None for is_asked in asked]


def _is_float(tensor: tf.Tensor) -> bool:
    return bool(tensor.dtype.is_floating)


def _check_caller() -> None:
    """Check that what is traced can have exchanges between devices in it.

    XLA has one device only. The parallel loops of ``pfor`` would begin one exchange
    before another has ended, and wait forever.

    Raises
    ------
    SimulationError
        If it cannot.
    """
    graph = tf.compat.v1.get_default_graph()
    if "loop_body" in graph.get_name_scope().split("/"):
        raise SimulationError(
            "Got a simulator with a strategy within `tape.jacobian`, "
            "`tape.batch_jacobian` or `tf.vectorized_map`, which run many calls in "
            "parallel; devices cannot exchange values there. Give "
            "`experimental_use_pfor=False`, use `tf.map_fn`, or make the simulator "
            "without a strategy"
        )
    if GraphOrParentsInXlaContext(graph):
        raise SimulationError(
            "Got a tf.function with jit_compile=True that calls this simulator with a "
            "strategy. XLA cannot compile an exchange between devices. Leave "
            "jit_compile out: the network is compiled nevertheless, for each device "
            "its part of the minibatch"
        )


def _check_graph() -> None:
    """Check that a gradient is not in a graph of its own, where it would be None.

    Raises
    ------
    SimulationError
        If a function is differentiated that was traced without a tape in it.
    """
    if tf.executing_eagerly():
        return
    if tf.compat.v1.get_default_graph().name.startswith("__backward"):
        raise SimulationError(
            "Got a tf.function that calls this simulator with a strategy, and a "
            "gradient tape around it. Put the tape into the tf.function, as TensorFlow "
            "cannot differentiate an exchange between devices otherwise"
        )


def _key() -> int:
    """Return what tells the replicas of this process apart while they are traced."""
    context = tf.distribute.get_replica_context()
    return int(tf.get_static_value(context.replica_id_in_sync_group))

"""Which strategy of ``tf.distribute`` a simulator belongs to, and leaving its scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from itertools import count
from typing import Any, TypeVar
from weakref import WeakSet

import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.distribution.replicas import Replicas
from nengo_dl.user_code import warn_user

_SUPPORTED = tf.distribute.MirroredStrategy | tf.distribute.MultiWorkerMirroredStrategy

#: strategies whose collectives have numbers of their own, and the next of these
_numbered: WeakSet[tf.distribute.Strategy] = WeakSet()
_first_numbers = count(100_000, 100_000)

#: what TensorFlow calls the scopes of strategies that it is in
_STACK = "_distribution_strategy_stack"
_default_graph = tf.compat.v1.get_default_graph

T = TypeVar("T", bound=type)


def replicas_of(
    strategy: Any, minibatch_size: int | None, device: str | None
) -> Replicas | None:
    """Return what divides the minibatches of a simulator, if there is a strategy.

    Parameters
    ----------
    strategy : tf.distribute.Strategy or None
        As the user gave it; None: that whose scope the simulator is made in.
    minibatch_size : int or None
        Items of a whole minibatch.
    device : str or None
        The device that the user chose.

    Raises
    ------
    ValidationError
        If it is none of those that are supported, if the minibatch cannot be divided,
        or if there is a device, too.
    SimulationError
        If this is called by ``strategy.run``.
    """
    refuse_in_replica("a simulator is made")
    if strategy is None:
        if not tf.distribute.has_strategy():
            return None
        strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, _SUPPORTED):
        raise ValidationError(
            f"Got {strategy!r:.100}; expected a tf.distribute.MirroredStrategy, for "
            "devices of one machine, or a MultiWorkerMirroredStrategy, for several",
            attr="strategy",
        )
    with outside_scopes():  # which may be that of another strategy
        replicas = Replicas(strategy, minibatch_size or 1)
    if replicas.minibatch_size % replicas.count:
        raise ValidationError(
            f"Got {minibatch_size} for {replicas.count} replicas, among which each "
            "minibatch is divided. Expected a multiple of their number: minibatch_size "
            "is that of all replicas together",
            attr="minibatch_size",
        )
    if device is not None:
        raise ValidationError(
            f"Got device={device!r} and a strategy, which knows its devices. Expected "
            "one of them",
            attr="device",
        )
    _number_apart(strategy)
    return replicas


class KeptStrategy:
    """The strategy of a simulator, in copies and pickles of it.

    A copy in the same process has it, too. A pickle does not: devices and processes are
    others where it is loaded, and all that is kept is what there was, in words.

    Parameters
    ----------
    replicas : Replicas or None
        What divides the minibatches of the simulator; None: nothing does.
    """

    def __init__(self, replicas: Replicas | None) -> None:
        self._strategy = None if replicas is None else replicas.strategy
        self._words: str | None = None
        if replicas is not None:
            name = type(replicas.strategy).__name__
            self._words = f"{name} with {replicas.count} replicas"
        self._same_process = True

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptStrategy:
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return what of it a pickle has."""
        return {"_strategy": None, "_words": self._words, "_same_process": False}

    @contextmanager
    def scope(self, minibatch_size: int | None) -> Iterator[None]:
        """Enter the scope in which the simulator is made again.

        Parameters
        ----------
        minibatch_size : int or None
            Items of a minibatch.

        Warns
        -----
        UserWarning
            If there is no strategy any more.
        """
        if self._same_process:
            refuse_in_replica("a simulator is copied")
            own = self._strategy.scope() if self._strategy else nullcontext()
            with outside_scopes(), own:
                yield
            return
        if self._words is not None and not tf.distribute.has_strategy():
            warn_user(
                f"The pickled simulator divided its minibatches by a {self._words}, "
                "which a pickle does not hold. The loaded one runs undivided, with "
                f"minibatch_size={minibatch_size} on one device. To divide them, load "
                "it within `with strategy.scope():`",
                UserWarning,
            )
        yield


def refuse_in_replica(what: str) -> None:
    """Refuse to be called by ``strategy.run``, once for each replica.

    Parameters
    ----------
    what : str
        What is done there.

    Raises
    ------
    SimulationError
        If that is so.
    """
    if tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context():
        raise SimulationError(
            f"Within `strategy.run`, {what} that divides minibatches between replicas "
            "itself. Do that outside of `strategy.run`, with whole minibatches"
        )


def _number_apart(strategy: tf.distribute.Strategy) -> None:
    """Let the collectives of several strategies of one process not be taken for equal.

    Each strategy numbers its groups of devices from 1, but TensorFlow knows a
    collective by these numbers in the whole process. The second MirroredStrategy of a
    notebook ended in "Collective instance 103 expected type 2 and data_type 1", and so
    did all collectives after it. TensorFlow's own tests let strategies begin at
    different numbers, for which there is no public name. Processes that work together
    would have to agree on numbers; there, TensorFlow wants one strategy for each.
    """
    extended = strategy.extended
    names = ("_collective_key_base", "_collective_ops", "_cross_device_ops")
    known = isinstance(strategy, tf.distribute.MirroredStrategy)
    known = known and all(hasattr(extended, name) for name in names)
    if strategy in _numbered or not known:
        return
    _numbered.add(strategy)
    before = extended._collective_ops
    extended._collective_key_base = next(_first_numbers)
    extended._collective_ops = extended._make_collective_ops_with_fallbacks()
    if extended._cross_device_ops is before:
        extended._cross_device_ops = extended._collective_ops


@contextmanager
def outside_scopes() -> Iterator[None]:
    """Leave the scopes of strategies: variables that are made here are ordinary ones.

    A simulator divides its minibatches itself, so its variables have one value in each
    process, and losses, metrics and optimizers see whole minibatches. TensorFlow has no
    public way out of a scope.
    """
    graph = _default_graph()
    names = (_STACK, "_variable_creator_stack")
    before = [getattr(graph, name) for name in names]
    for name in names:
        setattr(graph, name, [])
    try:
        yield
    finally:
        for name, value in zip(names, before, strict=True):
            setattr(graph, name, value)


def methods_outside_scopes(cls: T) -> T:
    """Let all public methods of a class run outside of the scopes of strategies.

    Users train in the scope in which they have made a simulator, as they do with models
    of Keras.
    """
    for name, member in list(vars(cls).items()):
        if callable(member) and not name.startswith("_"):
            setattr(cls, name, _outside(member))
    return cls


def _outside(method: Callable[..., Any]) -> Callable[..., Any]:
    # within a `tf.function` of the user's, AutoGraph would rewrite all that it calls:
    # that takes 100 times as long as the call
    unconverted = tf.autograph.experimental.do_not_convert(method)

    name = method.__name__

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        graph = _default_graph()
        # `tf.distribute.has_strategy` raises and catches an error each time
        if not (graph.building_function or getattr(graph, _STACK, True)):
            return method(*args, **kwargs)
        run = unconverted if tf.inside_function() else method
        if not tf.distribute.has_strategy():
            return run(*args, **kwargs)
        if getattr(args[0], "_replicas", None) is not None and name != "close":
            refuse_in_replica(f"`{name}` is called of a simulator")
        with outside_scopes():
            return run(*args, **kwargs)

    return call

"""The table of lowerings by operator type, filled by the modules of this folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, ClassVar

import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError, ValidationError

from nengo_dl.graph.draws import Draws
from nengo_dl.graph.signals import describe_with_signals, payload_of
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View
from nengo_dl.user_code import warn_user


class Lowering:
    """A group of operators as a computation.

    Subclasses are frozen dataclasses. `build_pre` makes one from the group with NumPy
    alone: shapes, constants, views. `build_step` is pure: it reads from and writes to
    the `SignalValues` it is given, and traces the same operations each time.

    Attributes
    ----------
    xla : bool
        Whether XLA can compile the step; False if it calls Python.

    Examples
    --------
    An operator that halves a signal, for all operators of a group at once:

    >>> from dataclasses import dataclass
    >>> from nengo.builder import Operator
    >>> from nengo_dl.lowering import Lowering, View, register
    >>> class Halve(Operator):
    ...     def __init__(self, signal):
    ...         super().__init__()
    ...         self.sets, self.incs, self.reads = [], [], []
    ...         self.updates = [signal]
    >>> @register(Halve)
    ... @dataclass(frozen=True)
    ... class LowerHalve(Lowering):
    ...     signal: View
    ...
    ...     @classmethod
    ...     def build_pre(cls, group, context):
    ...         return cls(context.view([op.updates[0] for op in group.ops]))
    ...
    ...     def build_step(self, values):
    ...         values.set(self.signal, 0.5 * values.read(self.signal))
    """

    xla: ClassVar[bool] = True

    @classmethod
    def check_class(cls, payload_type: type | None) -> None:
        """Refuse, with a ValidationError, what cannot be registered for a type."""

    @property
    def compiled(self) -> bool:
        """Return whether XLA can compile what the group does in TensorFlow."""
        return True

    @property
    def views(self) -> tuple[View, ...]:
        """All that `build_step` touches: every View among the fields.

        Views of parameters are read once, outside of the loop.
        """
        found: list[View] = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            members = value if isinstance(value, tuple) else (value,)
            found += [member for member in members if isinstance(member, View)]
        return tuple(found)

    @property
    def postponed(self) -> Mapping[View, Callable[[tf.Tensor], tf.Tensor]]:
        """Return state that a loop may keep as it was before the step's last operation.

        For each such view, that operation. XLA computes what several others read once
        only where it goes round the loop, and anew in each of them elsewhere. So the
        loop carries what the lowering has left in `SignalValues.postponed`, and applies
        the operation when the next step begins. To apply it twice must be the same as
        once: where a part of the step is a function of its own, values come finished.
        """
        return {}

    @property
    def counts(self) -> tuple[View, ...]:
        """Return state that grows by 1 in each step, and that nobody else changes.

        A loop over time has a counter of its own, and need not carry another.
        """
        return ()

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return a key; operators with equal ones may run in one group.

        The default asks for equal shapes in every place; None means 'never merge'.
        """
        return tuple([signal.shape for signal in op.all_signals])

    @classmethod
    def carries(cls, op: Operator) -> Collection[Signal]:
        """Return signals whose value of the step before is needed.

        Only those that Nengo lists under the operator's sets need naming: signals that
        are incremented or updated are carried anyway.
        """
        return ()

    @classmethod
    def redundant(cls, op: Operator) -> Collection[Signal]:
        """Return updated signals that the lowering leaves alone.

        Because another signal holds the same values; nobody else may read them.
        """
        return ()

    @property
    def adapts(self) -> tuple[Signal, ...]:
        """Return the parameters that the step leaves in ``values.adapted``.

        They have no gradient, and change as training goes on: averages, for example.
        """
        return ()

    @classmethod
    def compiles(cls, op: Operator) -> bool:
        """Return whether XLA can compile what the operator does in TensorFlow."""
        return True

    @classmethod
    def across_time(cls, op: Operator) -> bool:
        """Return whether `FilterSeries` can take the operator's place.

        If all that it reads is known at once, or nothing in the loop depends on it.
        """
        return False

    @classmethod
    def attributes(cls, op: Operator, dt: float) -> Mapping[str, float | str]:
        """Return what of the neurons or the synapse ``configure_settings`` can train.

        For each name its value, or why it cannot be trained. Where it is trained, the
        lowering of a `TrainedNeurons` or `TrainedSynapse` runs.
        """
        return {}

    @classmethod
    def user_code(cls, op: Operator) -> bool:
        """Return whether the step calls a Python function or class of the user's."""
        return False

    @classmethod
    def fed_draws(cls, op: Operator, nengo_only: bool = False) -> Draws | None:
        """Return the random numbers that are drawn ahead and fed to ``op``, or None.

        Parameters
        ----------
        op : Operator
            An operator that the lowering is responsible for.
        nengo_only : bool
            Whether numbers other than Nengo's are fed only if it cannot do without.
        """
        return None

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context) -> Lowering:
        """Return the lowering of a group: constants, shapes, views."""
        raise NotImplementedError

    def build_step(self, values: SignalValues) -> None:
        """Add the group's computation to the step that is being traced."""
        raise NotImplementedError


_LOWERINGS: dict[tuple[type[Operator], type | None], type[Lowering]] = {}

#: operator types whose payload decides
_WITH_PAYLOAD: set[type[Operator]] = set()


def register(
    op_type: type[Operator], payload_type: type | None = None
) -> Callable[[Any], Any]:
    """Return a decorator that makes a `Lowering` responsible for an operator type.

    Parameters
    ----------
    op_type : type
        A Nengo Operator class; subclasses need an entry of their own.
    payload_type : type, optional
        For SimNeurons and SimProcess: the NeuronType or Process class. Without it, the
        lowering serves every type that has none of its own, since a user's subclass may
        have changed its step.

    Returns
    -------
    callable
        Takes a subclass of `Lowering` and returns it as it is.

    Raises
    ------
    ValidationError
        If one of these is not such a class.

    Warns
    -----
    NengoWarning
        If another lowering was responsible so far. The last one counts, for simulators
        that are made from then on.

    Examples
    --------
    An operator that runs its own NumPy code in each step:

    >>> from nengo.builder import Operator
    >>> from nengo_dl.lowering import NumPyOperator, register
    >>> class MyOperator(Operator):
    ...     pass
    >>> _ = register(MyOperator)(NumPyOperator)

    ``@register(MyOperator)`` above a class of your own, see `Lowering`, runs it in
    TensorFlow; ``@register(SimNeurons, MyNeuronType)`` a neuron type.
    """
    if not (isinstance(op_type, type) and issubclass(op_type, Operator)):
        raise ValidationError(
            "Expected an Operator class, such as `register(MyOperator)` or "
            f"`register(SimNeurons, MyNeuronType)`; got {op_type!r}",
            attr="op_type",
        )
    if not isinstance(payload_type, type | None):
        raise ValidationError(
            "Expected a NeuronType or Process class, such as "
            f"`register(SimNeurons, MyNeuronType)`; got {payload_type!r}",
            attr="payload_type",
        )

    def add(lowering: type[Lowering]) -> type[Lowering]:
        if not (isinstance(lowering, type) and issubclass(lowering, Lowering)):
            raise ValidationError(
                f"Expected a subclass of nengo_dl.lowering.Lowering, got {lowering!r}",
                attr="lowering",
            )
        lowering.check_class(payload_type)
        kind = ".".join(t.__name__ for t in (op_type, payload_type) if t)
        former = registered(op_type, payload_type)
        warn_if_replaced(lowering, former, f"lowering of {kind}")
        _LOWERINGS[op_type, payload_type] = lowering
        _types_with.cache_clear()
        if payload_type is not None:
            _WITH_PAYLOAD.add(op_type)
        return lowering

    return add


def registered(
    op_type: type[Operator], payload_type: type | None = None
) -> type[Lowering] | None:
    """Return the lowering registered for exactly these types, or None."""
    return _LOWERINGS.get((op_type, payload_type))


def warn_if_replaced(new: Any, former: Any, role: str) -> None:
    """Warn if what is registered takes the place of something else.

    Parameters
    ----------
    new, former : class or function
        What is registered, and what was so far, or None. What has the same name in the
        same module is the same: a cell that runs again, or a module that is reloaded.
    role : str
        What they are registered as: ``"lowering of SimNeurons.LIF"``.
    """
    if former is not None and _path(former) != _path(new):
        warn_user(
            f"{_path(new)} replaces {_path(former)} as the {role}. Simulators that "
            "exist already keep the former."
        )


def _path(registered: Any) -> str:
    """Return the full name of a class or function, the same after a reload."""
    name = getattr(registered, "__qualname__", repr(registered))
    return f"{getattr(registered, '__module__', '')}.{name}"


def lowering_of(op: Operator) -> type[Lowering]:
    """Return the lowering that is responsible for an operator.

    Raises
    ------
    BuildError
        If nobody has registered one.
    """
    kind = type(op)
    found = None
    if kind in _WITH_PAYLOAD:
        found = _LOWERINGS.get((kind, type(payload_of(op))))
    found = found or _LOWERINGS.get((kind, None))
    if found is None:
        name = kind.__name__
        raise BuildError(
            f"No lowering is registered for operators of type {name}, met in "
            f"{describe_with_signals(op)}. To run its NumPy code in each step: "
            f"`nengo_dl.lowering.register({name})(nengo_dl.lowering.NumPyOperator)`. "
            "To run it in TensorFlow, register a Lowering of your own in the same way."
        )
    return found


@cache
def _types_with(name: str) -> frozenset[type[Operator]]:
    """Return the operator types of which a lowering has its own attribute of a name.

    Most have none: to ask each operator of a large model takes a third of a second.
    """

    def own(lowering: type[Lowering]) -> Any:
        found = getattr(lowering, name)
        return getattr(found, "__func__", found)

    return frozenset(
        kind
        for (kind, _), lowering in _LOWERINGS.items()
        if own(lowering) is not own(Lowering)
    )


def merge_kind(op: Operator) -> Hashable:
    """Return the key that operators must share to run in one group."""
    lowering = lowering_of(op)
    own = lowering.merge_key(op)
    return None if own is None else (lowering, type(payload_of(op)), own)


def carries(op: Operator) -> Collection[Signal]:
    """Return the set signals whose value of the step before ``op`` needs."""
    return lowering_of(op).carries(op) if type(op) in _types_with("carries") else ()


def redundant(op: Operator) -> Collection[Signal]:
    """Return the updated signals that the lowering of ``op`` leaves alone."""
    if type(op) not in _types_with("redundant"):
        return ()
    return lowering_of(op).redundant(op)


def across_time(op: Operator) -> bool:
    """Return whether ``op`` can run for all steps at once, though it remembers."""
    return lowering_of(op).across_time(op)


def runs_python(op: Operator) -> bool:
    """Return whether ``op`` leaves the compiled step to call Python."""
    return type(op) in _types_with("xla") and not lowering_of(op).xla


def needs_loop(op: Operator) -> bool:
    """Return whether ``op`` remembers, or calls Python."""
    return runs_python(op) or bool(carries(op))


def compiles(op: Operator) -> bool:
    """Return whether XLA can compile what ``op`` does in TensorFlow."""
    return type(op) not in _types_with("compiles") or lowering_of(op).compiles(op)


def runs_user_code(op: Operator) -> bool:
    """Return whether ``op`` calls Python code of the user in each step."""
    return type(op) in _types_with("user_code") and lowering_of(op).user_code(op)


def fed_draws(op: Operator, nengo_only: bool = False) -> Draws | None:
    """Return the random numbers that are drawn ahead and fed to ``op``, or None.

    Parameters
    ----------
    op : Operator
        Any operator.
    nengo_only : bool
        Whether neurons are fed only numbers that Nengo would draw too; those that draw
        others then run their own NumPy code.
    """
    if type(op) not in _types_with("fed_draws"):
        return None
    return lowering_of(op).fed_draws(op, nengo_only)


def attributes_of(
    op: Operator, dt: float, surrogate: Any = None
) -> dict[str, float | str]:
    """Return what of neurons or of a synapse a setting of ``trainable`` can name.

    Parameters
    ----------
    op : Operator
        The operator of the neurons or the synapse.
    dt : float
        Length of a time step (s).
    surrogate : Surrogate, "rate" or None
        How gradients pass through spikes in training.

    Returns
    -------
    dict of {str: float or str}
        The value of each attribute, or why it cannot be trained, in words.
    """
    lowering, payload = lowering_of(op), payload_of(op)
    found: dict[str, float | str] = dict(lowering.attributes(op, dt))
    for name in ("tau_rc", "tau_ref", "tau_n", "inc_n", "tau"):
        if name not in found and hasattr(payload, name):
            found[name] = f"{lowering.__name__} runs it, which knows no such parameter"
    spikes = bool(getattr(payload, "spiking", False))
    if "tau_ref" in found and spikes and surrogate not in (None, "rate"):
        found["tau_ref"] = (
            f"with surrogate={surrogate!r} no gradient passes through refractory times"
        )
    return found


def lower(group: OpGroup, context: Context) -> Lowering:
    """Return the group as a computation.

    Raises
    ------
    BuildError
        If what is registered does not make one.

    Parameters
    ----------
    group : OpGroup
        Operators of one type that run as one.
    context : Context
        What is known about their surroundings.

    Returns
    -------
    Lowering
        An instance of the lowering that is responsible for their type.

    Examples
    --------
    `Lowering.build_pre` of a lowering that adds something to the step of another may
    ask for that one:

    >>> from nengo_dl.lowering import OpGroup, lower
    >>> first = lower(OpGroup(group.ops[:1]), context)  # doctest: +SKIP
    >>> first.build_step(values)  # doctest: +SKIP
    """
    responsible = lowering_of(group.ops[0])
    made: Any = responsible.build_pre(group, context)
    if not (isinstance(made, Lowering) and is_dataclass(made)):
        raise BuildError(
            f"{_path(responsible)}.build_pre returned {made!r} for {group.name}; "
            "expected an instance of a Lowering that is a frozen dataclass, with "
            "everything that the step depends on among its fields"
        )
    return made

"""Whether what a lowering declares of its neuron type is so; errors if it is not."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

from nengo.builder.neurons import SimNeurons
from nengo.exceptions import BuildError, ValidationError
from nengo.params import iter_params


def check_names(lowering: Any) -> None:
    """Check that ``parameters`` and ``state_names`` are tuples of names of their own.

    Parameters
    ----------
    lowering : type
        A subclass of `LowerNeurons`.

    Raises
    ------
    ValidationError
        If they are not: a string would count as one name for each letter.
    """
    for attribute in ("parameters", "state_names"):
        names = getattr(lowering, attribute)
        if not (
            isinstance(names, tuple | list)
            and all(isinstance(name, str) for name in names)
        ):
            raise ValidationError(
                f"{lowering.__name__}.{attribute} is {names!r}; expected a tuple of "
                f'names, such as `{attribute} = ("voltage",)`',
                attr="lowering",
            )
    fields = lowering.__dataclass_fields__
    for name in lowering.parameters:
        # `self.<name>` would silently be something else than the neurons' attribute
        if name in fields or hasattr(lowering, name):
            raise ValidationError(
                f"{lowering.__name__}.parameters names {name!r}, but "
                f"`{lowering.__name__}.{name}` is something else; expected names that "
                "the class does not use otherwise. Call the neuron type's attribute, "
                "or yours, by another name",
                attr="lowering",
            )


def check_fields(lowering: Any) -> None:
    """Check that a class of several bases has the fields of all of them.

    Parameters
    ----------
    lowering : type
        A subclass of `LowerNeurons`.

    Raises
    ------
    ValidationError
        If it is no dataclass itself: it would be made with the fields of its first
        base alone.
    """
    own = lowering.__dataclass_fields__
    missing = [
        name
        for base in lowering.__mro__
        for name in getattr(base, "__dataclass_fields__", ())
        if name not in own
    ]
    if missing:
        raise ValidationError(
            f"{lowering.__name__} lacks the fields {_listed(dict.fromkeys(missing))} "
            "of its bases; expected a dataclass: write `@dataclass(frozen=True)` above "
            "the class, below the decorator that registers it",
            attr="lowering",
        )


def check_step(lowering: Any, missing: Any) -> None:
    """Check that ``step`` takes the arguments that it will be called with.

    All of them are tensors of equal shapes: in another order they would make spikes
    that are wrong, without an error. So the names of arguments count where they are
    those of state variables, ``j`` or ``random``; others may be named in any way.

    Parameters
    ----------
    lowering : type
        A subclass of `LowerNeurons`.
    missing : function
        The ``step`` that it inherits if there is none.

    Raises
    ------
    ValidationError
        If it has no ``step``, or one of other arguments.
    """
    step = inspect.getattr_static(lowering, "step")
    if not isinstance(step, FunctionType):
        return  # what has been decorated hides its arguments
    expected = [*lowering.step_inputs, *lowering.state_names]
    call = ", ".join(["self", *expected])
    if step is missing:
        raise ValidationError(
            f"{lowering.__name__} has no `step`; expected `def step({call})`, or a "
            "class to inherit it from",
            attr="lowering",
        )
    signature = inspect.signature(step)
    try:
        arguments = signature.bind("self", *expected).arguments
        fits = all(
            value == name
            for name, value in arguments.items()
            if isinstance(value, str) and name in expected
        )
    except TypeError:
        fits = False
    if not fits:
        raise ValidationError(
            f"{lowering.__name__}.step is defined as `step{signature}`; expected "
            f"`step({call})`: {', '.join(lowering.step_inputs.values())}, then the "
            "state variables in the order of `state_names`",
            attr="lowering",
        )


def check_rates_function(function: Any) -> None:
    """Check that a function takes a neuron type and a smoothing.

    Parameters
    ----------
    function : callable
        What is to return the rates of a spiking neuron type.

    Raises
    ------
    ValidationError
        If it cannot be called so.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some functions in C do not tell
    try:
        signature.bind(None, None)
    except TypeError as error:
        name = getattr(function, "__name__", repr(function))
        raise ValidationError(
            f"`{name}{signature}` cannot be called as `{name}(neurons, smoothing)`; "
            "expected a function of these two arguments: the neuron type, and "
            "`lif_smoothing` of configure_settings, a number or None",
            attr="function",
        ) from error


def parameter_of(lowering: Any, op: SimNeurons, name: str) -> Any:
    """Return an attribute of the neurons that ``parameters`` names.

    Parameters
    ----------
    lowering : type
        The subclass of `LowerNeurons` that names it.
    op : SimNeurons
        One population.
    name : str
        The name of the attribute.

    Raises
    ------
    BuildError
        If they have no such attribute.
    """
    try:
        return getattr(op.neurons, name)
    except AttributeError as error:
        kind = type(op.neurons).__name__
        raise BuildError(
            f"{lowering.__name__}.parameters names {name!r}, but {kind} has no such "
            f"attribute; expected some of {_listed(_numbers(op))}. "
            f"Correct `parameters`, or set `self.{name}` in `{kind}.__init__`"
        ) from error


def state_of(lowering: Any, op: SimNeurons, name: str) -> Any:
    """Return the signal of a state variable that ``state_names`` names.

    Parameters
    ----------
    lowering : type
        The subclass of `LowerNeurons` that names it.
    op : SimNeurons
        One population.
    name : str
        The name of the state variable.

    Raises
    ------
    BuildError
        If the neurons have no such state.
    """
    if name not in op.state:
        kind = type(op.neurons).__name__
        raise BuildError(
            f"{lowering.__name__}.state_names names {name!r}, but {kind} has no such "
            f"state variable; expected some of {_listed(op.state)}. Correct "
            f"`state_names`, or add {name!r} to `{kind}.state`"
        )
    return op.state[name]


def _numbers(op: SimNeurons) -> list[str]:
    """Return the names of those parameters of the type that are numbers."""
    names = {*iter_params(op.neurons), *vars(op.neurons)}
    return sorted(
        name
        for name in names
        if isinstance(getattr(op.neurons, name), int | float) and name[0] != "_"
    )


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names) or "those it has, here none"

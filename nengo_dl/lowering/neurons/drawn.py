"""What neuron types that draw random numbers have in common: the numbers are fed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType

from nengo_dl.graph.draws import DrawnNeurons, Draws
from nengo_dl.lowering.context import Context
from nengo_dl.lowering.neurons.base import LowerNeurons, check_neuron_type
from nengo_dl.lowering.registry import Lowering, register
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.groups import OpGroup
from nengo_dl.plan.layout import View


@dataclass(frozen=True)
class LowerDrawnNeurons(LowerNeurons):
    r"""Populations of a neuron type that draws random numbers in each step.

    .. math:: (a, s) \leftarrow f(J, u, s)

    for currents :math:`J`, random numbers :math:`u`, activities :math:`a` and state
    variables :math:`s`. Subclasses say in `draws` what has to be drawn, and implement
    `step`, which is handed the numbers as a tensor of shape (batch, numbers), those of
    all populations in a row: ``step(j, random, *state)``, with the state variables in
    the order of ``state_names``. What `register_surrogate` takes is derived from
    `LowerSurrogateNeurons` and from this class: it is fed the same numbers.

    Attributes
    ----------
    sizes : tuple of int
        Number of neurons of each population.
    negative : bool
        Whether the activity can be negative, as the type's ``negative`` says.

    Examples
    --------
    Neurons that fire with a probability that grows with the current:

    >>> from dataclasses import dataclass
    >>> import nengo, tensorflow as tf
    >>> from nengo_dl.lowering import Draws, LowerDrawnNeurons, register_draws
    >>> class Coin(nengo.RectifiedLinear):
    ...     spiking = True
    ...
    ...     def make_state(self, n_neurons, rng, dtype=None):
    ...         return {"rng": rng}
    ...
    ...     def step(self, dt, J, output, rng):
    ...         output[...] = (rng.random_sample(J.shape) < J * dt) / dt
    >>> @register_draws(Coin)
    ... @dataclass(frozen=True)
    ... class LowerCoin(LowerDrawnNeurons):
    ...     @classmethod
    ...     def draws(cls, op):
    ...         shape = op.J.shape
    ...
    ...         def sample(rng, n_steps):
    ...             return rng.random_sample((n_steps, *shape))
    ...
    ...         return Draws(op.state_extra["rng"], shape, sample, nengo=True)
    ...
    ...     def step(self, j, random):
    ...         return (tf.cast(random < j * self.dt, j.dtype) / self.dt,)
    """

    step_inputs: ClassVar[Mapping[str, str]] = {
        **LowerNeurons.step_inputs,
        "random": "the random numbers",
    }

    random: View
    sizes: tuple[int, ...]
    negative: bool

    @classmethod
    def draws(cls, op: SimNeurons) -> Draws:
        """Return the random numbers that one population needs in each step."""
        raise NotImplementedError

    @classmethod
    def fed_draws(cls, op: Operator, nengo_only: bool = False) -> Draws | None:
        """Return what `draws` says, or None if the type's NumPy code is to draw.

        Neurons with a surrogate have no such code: no gradient would pass through it.

        Raises
        ------
        BuildError
            If `draws` returned something else.
        """
        draws = cls.draws(op)
        if not isinstance(draws, Draws):
            raise BuildError(
                f"{cls.__name__}.draws returned {draws!r} for {op.neurons}; expected "
                "nengo_dl.lowering.Draws: `return Draws(rng, shape, sample, nengo)`"
            )
        alone = nengo_only and not draws.nengo and type(op) is SimNeurons
        return None if alone else draws

    @classmethod
    def merge_key(cls, op: Operator) -> Hashable:
        """Return whether there are negative rates: the equations differ."""
        return "drawn neurons", bool(op.neurons.negative)

    @classmethod
    def build_pre(cls, group: OpGroup, context: Context, **fields: Any) -> Lowering:
        """Return the lowering of a group; ``fields`` are those that subclasses add."""
        signals = [op.draws for op in group.ops]
        return super().build_pre(
            group,
            context,
            random=context.view(signals, (sum(signal.size for signal in signals),)),
            sizes=tuple(op.J.size for op in group.ops),
            negative=bool(group.ops[0].neurons.negative),
            **fields,
        )

    def read_inputs(self, values: SignalValues) -> tuple[tf.Tensor, ...]:
        """Return the currents and the random numbers."""
        return values.read(self.current), values.read(self.random)


def register_draws(neuron_type: type[NeuronType]) -> Callable[[Any], Any]:
    """Return a decorator for neurons whose random numbers are drawn ahead.

    Without it, a type that draws random numbers runs its NumPy code in each step. With
    it, the numbers are fed to the loop, and the decorated class computes with them.

    Parameters
    ----------
    neuron_type : type
        A NeuronType class; subclasses need an entry of their own. If a lowering that
        draws nothing is registered for it, ``register(SimNeurons, neuron_type)``, that
        one is used instead.

    Returns
    -------
    callable
        Takes a subclass of `LowerDrawnNeurons` and returns it as it is.

    Raises
    ------
    ValidationError
        If one of these is not such a class, or it does not say what it draws.

    Warns
    -----
    NengoWarning
        If another class was registered so far. The last one counts, for simulators
        that are made from then on.

    Examples
    --------
    See `LowerDrawnNeurons` for a complete one. The same class for a subclass that has
    another name only:

    >>> import nengo, nengo_dl.lowering
    >>> from nengo_dl.lowering.neurons.stochastic import LowerStochasticSpiking
    >>> class Rounded(nengo.StochasticSpiking):
    ...     pass
    >>> _ = nengo_dl.lowering.register_draws(Rounded)(LowerStochasticSpiking)
    """
    check_neuron_type(neuron_type, "register_draws")

    def add(lowering: type[LowerDrawnNeurons]) -> type[LowerDrawnNeurons]:
        expected = "a subclass of nengo_dl.lowering.LowerDrawnNeurons"
        if not (isinstance(lowering, type) and issubclass(lowering, LowerDrawnNeurons)):
            raise ValidationError(f"Expected {expected}, got {lowering!r}", "lowering")
        owner = next(base for base in lowering.__mro__ if "draws" in vars(base))
        if owner is LowerDrawnNeurons:
            raise ValidationError(
                f"Expected {expected} with a class method `draws(cls, op)`, which "
                f"returns nengo_dl.lowering.Draws; {lowering.__name__} has none",
                "lowering",
            )
        return register(DrawnNeurons, neuron_type)(lowering)

    return add

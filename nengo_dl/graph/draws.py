"""Random numbers that operators draw in the same quantity in every time step.

What is drawn then does not depend on anything in the loop, so it is drawn ahead and fed
to the loop like any other input.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.signal import Signal


@dataclass(frozen=True, eq=False)
class Draws:
    """The random numbers that an operator draws in each time step.

    Attributes
    ----------
    rng : np.random.RandomState
        Where the model starts to draw from; copied, never changed.
    shape : tuple of int
        Shape of the numbers of one step.
    sample : callable
        ``sample(rng, n_steps)`` returns the numbers of the next steps, shape
        ``(n_steps, *shape)``.
    nengo : bool
        Whether these are the very numbers that Nengo would draw. They then depend on
        ``rng`` alone, as in Nengo, else on the simulator's seed too.

    Examples
    --------
    One number for each of ten neurons in each step:

    >>> import numpy as np
    >>> from nengo_dl.lowering import Draws
    >>> def uniform(rng, n_steps):
    ...     return rng.random_sample((n_steps, 10))
    >>> draws = Draws(np.random.RandomState(0), (10,), uniform, nengo=True)
    >>> draws.sample(draws.rng, 3).shape
    (3, 10)
    """

    rng: np.random.RandomState
    shape: tuple[int, ...]
    sample: Callable[[np.random.RandomState, int], np.ndarray]
    nengo: bool


class FedNeurons(SimNeurons):
    """Neurons that take the place of others, and can be fed random numbers.

    Parameters
    ----------
    op : SimNeurons
        The operator whose place it takes.

    Notes
    -----
    1. sets ``[output] + state``
    2. incs ``[]``
    3. reads ``[J]``, then the random numbers if they are fed
    4. updates ``[]``
    """

    def __init__(self, op: SimNeurons) -> None:
        # random generators too, from which it is known what there is to draw
        state = {**op.state, **op.state_extra}
        super().__init__(op.neurons, op.J, op.output, state, tag=op.tag)

    def fed(self, draws: Signal) -> FedNeurons:
        """Return the operator with random numbers of one step that are fed to it."""
        new = copy.copy(self)
        new.reads = [*self.reads, draws]
        return new

    @property
    def draws(self) -> Signal | None:
        """The random numbers of one step, or None if none are fed."""
        return self.reads[1] if len(self.reads) > 1 else None


class DrawnNeurons(FedNeurons):
    """Set the output of neurons for given currents and given random numbers.

    Takes the place of an operator whose random numbers are fed to the loop, and is run
    by a lowering only: NumPy code of neuron types draws for itself.

    Parameters
    ----------
    op : SimNeurons
        The operator whose place it takes.
    draws : Signal
        The random numbers of one step.

    Notes
    -----
    1. sets ``[output] + state``
    2. incs ``[]``
    3. reads ``[J, draws]``
    4. updates ``[]``
    """

    def __init__(self, op: SimNeurons, draws: Signal) -> None:
        super().__init__(op)
        self.reads.append(draws)

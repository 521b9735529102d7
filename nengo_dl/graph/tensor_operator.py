"""The operator of a TensorNode: a function of tensors, and the signals that it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import SimulationError


class SimTensorNode(Operator):
    r"""Set a signal to a function of tensors: :math:`y \leftarrow f(t, x; w)`.

    Nengo builds it with time, input and output. The weights :math:`w` become known when
    a simulator looks into the function (`bind`): variables that training or the
    function itself changes are Signals, so that they are stored, trained, saved and
    reset like all others.

    Parameters
    ----------
    function : object
        What is computed, opaque here; see `nengo_dl.lowering.tensor_nodes.function`.
    t : Signal or None
        Time (s), shape (), if the function wants to know it.
    x : Signal or None
        Input, shape (size_in,).
    output : Signal
        Output, shape (size_out,).
    tag : str, optional
        What it was built for.

    Attributes
    ----------
    training : bool
        Whether the function runs as in training.
    weights : dict of {str: Signal}
        Variables of the function that it only reads, or changes in training only.
    memory : dict of {str: Signal}
        Variables that the function changes in each step.
    trainable : dict of {Signal: bool}
        Whether an optimizer may change each of the weights.
    random : Signal or None
        Random numbers of the step, if they are fed.
    added : Signal or None
        What layers in the function add to the loss of training, shape (1,), the same
        for all items of a minibatch; None: nothing.
    bound : object
        What a simulator has found out about the function; never pickled.

    Notes
    -----
    1. sets ``[output] + [added]``
    2. incs ``[]``
    3. reads ``[t] + [x] + weights + [random]``, those that there are
    4. updates ``memory``
    """

    def __init__(
        self,
        function: Any,
        t: Signal | None,
        x: Signal | None,
        output: Signal,
        tag: str | None = None,
    ) -> None:
        super().__init__(tag=tag)
        self.function = function
        self.t, self.x, self.output = t, x, output
        self.training = False
        self.weights: dict[str, Signal] = {}
        self.memory: dict[str, Signal] = {}
        self.trainable: dict[Signal, bool] = {}
        self.random: Signal | None = None
        self.added: Signal | None = None
        self.bound: Any = None
        self._use()

    @property
    def state(self) -> dict[str, Signal]:
        """What each signal behind time, input and output is called."""
        return {**self.weights, **self.memory}

    def bind(
        self,
        bound: Any,
        weights: dict[str, Signal],
        memory: dict[str, Signal],
        trainable: dict[Signal, bool],
        uses_time: bool,
        adds_loss: bool = False,
    ) -> None:
        """Take over the variables of the function.

        Parameters
        ----------
        bound : object
            What the lowering needs to know about the function.
        weights, memory : dict of {str: Signal}
            The variables.
        trainable : dict of {Signal: bool}
            Whether an optimizer may change them.
        uses_time : bool
            Whether the function looks at the time. If not, all time steps can be
            computed at once.
        adds_loss : bool
            Whether layers in it add something to the loss of training.
        """
        self.bound = bound
        if not adds_loss:
            self.added = None
        elif self.added is None:
            name = f"{self.tag or 'TensorNode'}.loss"
            self.added = Signal(np.zeros(1), name=name)
        self.weights, self.memory, self.trainable = weights, memory, trainable
        self._use(time=uses_time)

    def _use(self, time: bool = True) -> None:
        given = (self.t if time else None, self.x, *self.weights.values(), self.random)
        self.sets = [self.output, *([] if self.added is None else [self.added])]
        self.incs: list[Signal] = []
        self.reads = [signal for signal in given if signal is not None]
        self.updates = list(self.memory.values())
        self.uses_time = time and self.t is not None

    def fed(self, random: Signal) -> SimTensorNode:
        """Return the operator with random numbers that are fed to it."""
        new = self._copy()
        new.random = random
        new._use(self.uses_time)
        return new

    def as_trained(self) -> SimTensorNode:
        """Return the operator with its function as it runs in training."""
        new = self._copy()
        new.training = True
        return new

    def _copy(self) -> SimTensorNode:
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "bound": None}

    def make_step(
        self, signals: Any, dt: float, rng: np.random.RandomState
    ) -> Callable[[], None]:
        """Refuse: there is no TensorFlow in other simulators."""
        raise SimulationError(
            f"{self.tag or 'A TensorNode'} is TensorFlow code, which this "
            "simulator cannot run. Use `nengo_dl.Simulator(network)`"
        )


def tensor_nodes(operators: Iterable[Operator]) -> list[SimTensorNode]:
    """Return the operators that are of TensorNodes."""
    return [op for op in operators if isinstance(op, SimTensorNode)]


def with_training(operators: Sequence[Operator]) -> list[Operator]:
    """Return the operators, with functions of TensorNodes that run as in training."""
    return [
        op.as_trained() if isinstance(op, SimTensorNode) else op for op in operators
    ]

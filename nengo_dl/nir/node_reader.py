"""What all types of NIR nodes have in common when they become objects of Nengo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.neurons import Heaviside
from nengo_dl.nir.node_records import NodeRecord, n_elements

#: label of the Node whose output is 1 and from which biases come
BIAS_LABEL = "NIR bias"


#: how many ensembles, Connections and filters the nodes of a graph may be divided into
_MAX_PARTS = 10_000


@dataclass
class Budget:
    """Counts what a graph asks for, which is refused before there is too much of it.

    Attributes
    ----------
    max_elements : int
        How many numbers signals and kernels may have altogether.
    elements : int
        How many they have up to now.
    parts : int
        How many parts nodes were divided into up to now.
    """

    max_elements: int
    elements: int = 0
    parts: int = 0

    def take(self, shape: tuple[int, ...], record: NodeRecord) -> None:
        """Count an array; raise an error naming the node if that is too much."""
        n = n_elements(shape)
        self.elements += n
        if self.elements > self.max_elements:
            what = f"Shape {shape} has {n} elements"
            if n <= self.max_elements:
                what = (
                    f"Signals and kernels up to this node have {self.elements} "
                    f"elements, {n} of them in shape {shape}"
                )
            raise record.refused(
                f"{what}. Expected at most {self.max_elements}; "
                "from_nir(..., max_elements=...) allows more"
            )

    def divide(self, n_parts: int, n_elements: int, record: NodeRecord) -> None:
        """Count parts; raise an error naming the node if these are too many."""
        self.parts += n_parts
        # the indices of each part are looked up among all elements
        work = n_parts * n_elements
        if self.parts > _MAX_PARTS or work > 20 * self.max_elements:
            raise record.refused(
                f"It becomes {n_parts} parts of {n_elements} elements, one for each "
                "value of a time constant or delay, or for each matrix. Expected at "
                f"most {_MAX_PARTS} parts in a graph, and less for very large nodes; "
                "round time constants to fewer values"
            )


@dataclass(frozen=True)
class ReadOptions:
    """How the equations of a graph become time steps.

    Attributes
    ----------
    spike_dt : float
        Time step of the framework that the graph is from (s): the area of a spike.
    euler : bool
        Whether that framework integrates by Euler's method; else exactly.
    own : bool
        Whether `nengo_dl.to_nir` wrote the graph, so that its notes say more.
    whole_spikes : bool
        Whether synapses of CubaLIF and CubaLI add the whole of a spike at once, as
        those of Norse do, and not over their time constant.
    whole_currents : bool
        Whether an input adds to the voltage of a membrane as a whole within a step.
    reset : str
        ``"zero"`` to reset to ``v_reset``; ``"subtract"`` or ``"subtract_late"``.
    late_spikes : bool
        Whether neurons send a spike in the step after.
    budget : Budget
        How much more the graph may ask for.
    """

    spike_dt: float
    euler: bool
    own: bool
    whole_spikes: bool
    whole_currents: bool
    reset: str
    late_spikes: bool
    budget: Budget

    def time_constant(self, tau: float, record: NodeRecord, field: str) -> float:
        r"""Return the time constant with which Nengo's steps are those that are meant.

        .. math:: e^{-\Delta t/\tau'} = 1 - \Delta t/\tau

        for Euler's method.
        """
        if not self.euler:
            return tau
        if tau <= self.spike_dt:
            raise record.refused(
                f"Expected more than the time step of {self.spike_dt:g} s, which "
                f"Euler's method needs, got {tau:g} s. With discretization='exact' "
                "any value above 0 will do; or the step is another one: set spike_dt",
                field,
            )
        return float(-self.spike_dt / np.log1p(-self.spike_dt / tau))


class NodeReader:
    """Makes objects of Nengo from one NIR node; a subclass for each family of types.

    Parameters
    ----------
    record : NodeRecord
        The node.
    options : ReadOptions
        How time is discretised.
    one : callable
        Returns the Node whose output is 1.

    Attributes
    ----------
    became : str
        Nengo's objects in words, for the report.
    """

    became: str = ""
    #: whether its output follows from its input of the same time step alone
    stateless: ClassVar[bool] = False
    #: which of its parameters is the time constant of the membrane
    tau_field: ClassVar[str] = "tau"
    #: the parameters that are arrays of the node's own shape, and their defaults
    elementwise: ClassVar[dict[str, float | None]] = {}

    def __init__(
        self, record: NodeRecord, options: ReadOptions, one: Callable[[], nengo.Node]
    ) -> None:
        self.record = record
        self.options = options
        self._one = one

    # -- shapes

    def shape_in(self) -> tuple[int, ...] | None:
        """Return the shape of its input, if that follows from the node alone."""
        if not self.elementwise:
            return None
        shapes = [self.values(name).shape for name in self.elementwise]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            found = dict(zip(self.elementwise, shapes, strict=True))
            raise self.record.refused(
                f"Expected parameters of one shape, got {found}"
            ) from None
        # numbers without axes are those of all elements, however many these are
        return shape or None

    def shape_out(self, shape_in: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of its output."""
        return shape_in

    def check_size(self, *shapes: tuple[int, ...]) -> None:
        """Raise an error if arrays of some shapes more are too large altogether."""
        for shape in shapes:
            self.options.budget.take(shape, self.record)

    # -- what it does

    @property
    def delays(self) -> bool:
        """Whether its output does not depend on its input of the same time step."""
        return False

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make its objects in the network that is open.

        Parameters
        ----------
        shape_in : tuple of int
            Shape of its input.

        Returns
        -------
        receiver, sender : object
            What Connections to and from it go to and come from, flat.
        """
        raise NotImplementedError

    # -- for subclasses

    def values(self, field: str) -> np.ndarray:
        """Return a parameter that has one number for each element."""
        return self.record.numbers(field, self.elementwise[field])

    def per_element(self, field: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return a parameter as a vector of one number for each element."""
        return np.broadcast_to(self.values(field), shape).reshape(-1)

    def positive(self, field: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return time constants (s), one for each element."""
        values = self.per_element(field, shape)
        if not (values > 0).all():
            raise self.record.refused(
                f"Expected numbers above 0, got {values[~(values > 0)][0]:g}", field
            )
        return values

    def node(self, shape: tuple[int, ...], part: str = "") -> nengo.Node:
        """Return a Node that passes on what it receives."""
        label = f"{self.record.name}.{part}" if part else self.record.name
        return nengo.Node(size_in=n_elements(shape), label=label)

    def connect(self, pre: Any, post: Any, transform: Any = None, **kwargs: Any) -> Any:
        """Connect without a synapse; a transform of ones alone is left out."""
        if isinstance(transform, np.ndarray) and transform.ndim < 2:
            transform = None if np.all(transform == 1) else transform
        if transform is not None:
            kwargs["transform"] = transform
        kwargs.setdefault("synapse", None)
        return nengo.Connection(pre, post, label=self.record.name, **kwargs)

    def steps(self, thresholds: np.ndarray) -> Neurons:
        """Return neurons whose output is 1 where their input is above a threshold."""
        return nengo.Ensemble(
            len(thresholds),
            1,
            neuron_type=Heaviside(),
            gain=np.ones_like(thresholds),
            bias=-thresholds,
            label=self.record.name,
            eval_points=np.zeros((1, 1)),
            encoders=nengo.dists.Choice([[1.0]]),
        ).neurons

    def add_bias(self, bias: np.ndarray, post: Any) -> None:
        """Let a Node or neurons receive constant numbers besides."""
        if np.any(bias):
            self.connect(self._one(), post, bias.reshape(-1, 1))


#: the reader of each type of node
READERS: dict[str, type[NodeReader]] = {}


def register_node(*kinds: str) -> Callable[[type[NodeReader]], type[NodeReader]]:
    """Return a decorator that makes a `NodeReader` responsible for types of nodes.

    Parameters
    ----------
    *kinds : str
        Types, as NIR calls them.

    Returns
    -------
    callable
        Takes a subclass of `NodeReader` and returns it.
    """

    def add(reader: type[NodeReader]) -> type[NodeReader]:
        for kind in kinds:
            READERS[kind] = reader
        return reader

    return add


def reader_of(
    record: NodeRecord, options: ReadOptions, one: Callable[[], nengo.Node]
) -> NodeReader:
    """Return the reader of a node.

    Raises
    ------
    ValidationError
        If nothing is known of its type.
    """
    if record.kind not in READERS:
        raise ValidationError(
            f"There is no NIR node of type {record.kind!r:.50}. Expected one of "
            f"{', '.join(sorted(READERS))}",
            f"node {record.name!r}",
        )
    return READERS[record.kind](record, options, one)

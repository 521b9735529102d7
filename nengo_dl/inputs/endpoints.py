"""Data for training and measuring: what users give, checked and in one form."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side, numbers
from nengo_dl.inputs.checks import positive_int
from nengo_dl.inputs.names import find, io_names, listing
from nengo_dl.user_code import warn_user


@dataclass(frozen=True)
class TrainingData:
    """Arrays that were checked, for whole minibatches.

    Attributes
    ----------
    inputs : dict of {nengo.Node: np.ndarray}, shape (n_items, n_steps, size_out)
        What to present; Nodes that are not here have their own output.
    targets : dict of {nengo.Probe: np.ndarray}, shape (n_items, n_steps, size_in)
        What is wanted.
    n_items : int
        How many there are, a multiple of the minibatch's size.
    n_steps : int
        How many time steps each takes.
    """

    inputs: dict[nengo.Node, np.ndarray]
    targets: dict[nengo.Probe, np.ndarray]
    n_items: int
    n_steps: int


@dataclass(frozen=True)
class Endpoints:
    """The inputs and outputs of a simulator, and the data that fit them.

    Attributes
    ----------
    nodes : tuple of nengo.Node
        The Nodes that data can be presented to.
    probes : tuple of nengo.Probe
        The Probes.
    minibatch_size : int or None
        Items that run side by side; None: one, and arrays need no batch axis.
    dtype : str
        Floating point type that arrays get.
    last_only : frozenset of nengo.Probe
        Probes that keep the last step alone, so that targets may have one step.
    """

    nodes: tuple[nengo.Node, ...]
    probes: tuple[nengo.Probe, ...]
    minibatch_size: int | None = None
    dtype: str = "float32"
    last_only: frozenset[nengo.Probe] = field(default_factory=frozenset)

    @cached_property
    def names(self) -> dict[nengo.Node | nengo.Probe, str]:
        """Names of all inputs and outputs."""
        return io_names(self.nodes, self.probes)

    @cached_property
    def inputs(self) -> Side:
        """What data can be presented to."""
        return Side(nengo.Node, self.nodes, self.names)

    @cached_property
    def outputs(self) -> Side:
        """What targets can be given for."""
        return Side(nengo.Probe, self.probes, self.names)

    def name(self, obj: Any) -> str:
        """Return the name of an input or output.

        Raises
        ------
        ValidationError
            If it is neither an input Node nor a Probe of the network.
        """
        if not isinstance(obj, nengo.Node | nengo.Probe):
            raise ValidationError(
                f"Only input Nodes and Probes have names; got {obj!r}", attr="obj"
            )
        side = self.inputs if isinstance(obj, nengo.Node) else self.outputs
        return self.names[side.find(obj, "obj")]

    def split(self, data: Any) -> tuple[Any, Any, int | None]:
        """Return inputs, targets and number of steps of ``train(data, ...)``.

        Parameters
        ----------
        data : dict, int or array
            ``{Node: array, Probe: array}``, with labels or names as keys too; a number
            of steps, for Nodes that all have their own output; or the array for the one
            input Node.

        Raises
        ------
        ValidationError
            If it is nothing of this kind, or a key is not known.
        """
        if _is_whole_number(data):
            return None, None, positive_int(data, "data")
        if not isinstance(data, Mapping):
            if data is None or isinstance(data, bool | str):
                raise ValidationError(
                    f"Expected a dict {{Node: array, Probe: array}}, or a number of "
                    f"steps if all Nodes have their own output; got {data!r}",
                    attr="data",
                )
            return data, None, None
        inputs: dict[Any, Any] = {}
        targets: dict[Any, Any] = {}
        names = self.names
        for key, values in data.items():
            if isinstance(key, str):
                key = find(key, (*self.nodes, *self.probes), "object", "data", names)
            part = targets if isinstance(key, nengo.Probe) else inputs
            if key in part:
                raise ValidationError(f"Got two arrays for {key}", attr="data")
            part[key] = values
        return inputs, targets, None

    def check(
        self,
        inputs: Any = None,
        targets: Any = None,
        n_steps: int | None = None,
        *,
        attrs: tuple[str, str] = ("data", "data"),
        first_of_several: bool = False,
        own_steps: bool = False,
        any_size: Collection[nengo.Probe] = (),
        one_minibatch: bool = False,
    ) -> TrainingData:
        """Return data in one form.

        Parameters
        ----------
        inputs, targets : dict, sequence of np.ndarray, array or None
            By object, label or name; in the order of the network; or one array, if
            there is one input Node or Probe. Arrays have shape (n_items, n_steps,
            size); without a minibatch size also (n_steps, size), for one item.
        n_steps : int, optional
            Needed if there are no arrays; otherwise it has to agree with them.
        attrs : tuple of str
            What the caller calls the two, for errors.
        first_of_several : bool
            As Keras has it: a single array belongs to the first object, and lists may
            be shorter than the network, with a warning.
        own_steps : bool
            Whether targets may have a number of steps of their own.
        any_size : collection of nengo.Probe
            Probes whose targets may have one element for each step: class numbers.
        one_minibatch : bool
            Whether there have to be just as many items as fill a minibatch.

        Returns
        -------
        TrainingData
            Floating point arrays of the simulator's type, without a copy where they
            have it already. What does not fill a minibatch is left out, with a warning.

        Raises
        ------
        ValidationError
            If anything does not fit; it names the object, the given and the expected
            shape.
        """
        shape, names = _Shape(self.minibatch_size), self.names
        if n_steps is not None:
            shape.decide(positive_int(n_steps, "n_steps"), "n_steps")
        given = dict(inputs) if isinstance(inputs, Mapping) else inputs
        if (
            isinstance(given, dict)
            and "n_steps" in given
            and "n_steps" not in names.values()
        ):
            # as datasets for Keras carry it
            shape.decide(_constant_steps(given.pop("n_steps"), attrs[0]), attrs[0])
        arrays: list[dict[Any, np.ndarray]] = []
        for side, values, attr in (
            (self.inputs, given, attrs[0]),
            (self.outputs, targets, attrs[1]),
        ):
            pairs = side.pairs(values, attr, first_of_several)
            if first_of_several and values is not None:
                _warn_about_short_lists(side, values, pairs, attr)
            arrays.append({})
            for obj, array in pairs:
                is_probe = isinstance(obj, nengo.Probe)
                arrays[-1][obj] = shape.fit(
                    side,
                    obj,
                    numbers(array, self.dtype, obj, side.axes(obj), attr, is_probe),
                    attr,
                    one_step=obj in self.last_only,
                    any_steps=is_probe and own_steps,
                    any_size=obj in any_size,
                )
        if shape.steps is None:
            raise ValidationError(
                "The number of time steps is not known: give data for an input Node, "
                f"or n_steps; the input Nodes are {listing(self.nodes, names)}",
                attr=attrs[0],
            )
        n_items = self._whole_minibatches(shape, attrs[0], one_minibatch)
        cut = [{obj: array[:n_items] for obj, array in part.items()} for part in arrays]
        return TrainingData(cut[0], cut[1], n_items, shape.steps)

    def _whole_minibatches(self, shape: _Shape, attr: str, one: bool) -> int:
        """Return how many items fill whole minibatches."""
        size = self.minibatch_size or 1
        if shape.items is None:
            return size
        if shape.items < size:
            raise ValidationError(
                f"Data for {shape.origin} have {shape.items} items, and minibatch_size "
                f"is {size}: expected at least as many items. Give more data, or make "
                f"the simulator with a minibatch_size of at most {shape.items}",
                attr=attr,
            )
        if one and shape.items != size:
            raise ValidationError(
                f"Data for {shape.origin} have {shape.items} items; expected one "
                f"minibatch, which is {size}",
                attr=attr,
            )
        rest = shape.items % size
        if rest:
            warn_user(
                f"The data have {shape.items} items, which is no multiple of "
                f"minibatch_size={size}: the last {rest} are left out"
            )
        return shape.items - rest


class _Shape:
    """Numbers of items and steps, which the first array decides for all others."""

    def __init__(self, minibatch_size: int | None) -> None:
        self.minibatch_size = minibatch_size
        self.items: int | None = None
        self.steps: int | None = None
        self.origin: Any = None

    def decide(self, n_steps: int, attr: str) -> None:
        """Set the number of steps, which must not be known as another one."""
        if self.steps not in (None, n_steps):
            raise ValidationError(
                f"Got {n_steps} steps in {attr!r}, and n_steps={self.steps}", attr=attr
            )
        self.steps = n_steps

    def fit(
        self,
        side: Side,
        obj: Any,
        array: np.ndarray,
        attr: str,
        one_step: bool = False,
        any_steps: bool = False,
        any_size: bool = False,
    ) -> np.ndarray:
        """Return an array with three axes, if it fits those before it.

        Where a probe keeps the last step only, one step is wanted; where ``any_steps``,
        the objective decides how many are; and where ``any_size``, one element may
        stand for all.
        """
        given = array.shape
        if array.ndim == 2 and self.minibatch_size is None:
            array = array[None]
        steps = None if any_steps else 1 if one_step else self.steps
        sizes = {side.size(obj)} | ({1} if any_size else set())
        if (
            array.ndim != 3
            or min(array.shape) < 1
            or array.shape[2] not in sizes
            or self.items not in (None, array.shape[0])
            or steps not in (None, array.shape[1])
        ):
            words = side.axes(obj, self.items or "n_items", steps or "n_steps")
            origin = "" if self.origin is None else f"; data for {self.origin} decided"
            raise ValidationError(
                f"Data for {obj} have shape {given}; expected {words} (n_items, "
                f"n_steps, size){origin}",
                attr=attr,
            )
        if self.items is None:
            self.items, self.origin = array.shape[0], obj
        if self.steps is None and not (one_step or any_steps):
            self.steps = array.shape[1]
        return array


def _is_whole_number(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _constant_steps(values: Any, attr: str) -> int:
    """Return the number of steps that data for Keras come with, one for each item."""
    steps = np.unique(np.asarray(values))
    if steps.size != 1:
        raise ValidationError(
            f"Expected the same number of steps for each item in 'n_steps'; got "
            f"{steps.tolist()}",
            attr=attr,
        )
    return positive_int(steps.ravel()[0].item(), "n_steps")


def _warn_about_short_lists(
    side: Side, values: Any, pairs: Sequence, attr: str
) -> None:
    if not isinstance(values, Mapping) and len(pairs) < len(side.objects):
        warn_user(
            f"`{attr}` has {len(pairs)} array(s) for {len(side.objects)} "
            f"{side.word}s, so the others get none. A dict "
            f"{{{side.kind.__name__}: array}} says which is which"
        )


def check_truncation(truncation: Any, n_steps: int) -> int | None:
    """Return the steps that gradients go back, or None if that is all of them.

    Raises
    ------
    ValidationError
        If it is not a whole number of at least 1.
    """
    if truncation is None:
        return None
    truncation = positive_int(truncation, "truncation")
    if truncation >= n_steps:
        return None
    if n_steps % truncation:
        warn_user(
            f"n_steps={n_steps} is no multiple of truncation={truncation}: the "
            f"last part of each item has {n_steps % truncation} steps only"
        )
    return truncation


def check_split(n_items: int, validation_split: float, minibatch_size: int) -> int:
    """Return how many items are trained with, the others being for validation.

    Raises
    ------
    ValidationError
        If one of the parts does not consist of whole minibatches.
    """
    n_train = int(n_items * (1 - validation_split))
    if n_train % minibatch_size or (n_items - n_train) % minibatch_size:
        raise ValidationError(
            f"validation_split={validation_split:g} divides {n_items} items into "
            f"{n_train} and {n_items - n_train}; expected multiples of "
            f"minibatch_size={minibatch_size}",
            attr="validation_split",
        )
    return n_train


def warn_about_synapses(
    network: nengo.Network | None, probes: Iterable[nengo.Probe], n_steps: int
) -> None:
    """Warn if a single time step cannot show what a synapse lets through.

    Parameters
    ----------
    network : nengo.Network or None
        The network that is trained.
    probes : iterable of nengo.Probe
        The probes that matter.
    n_steps : int
        How many steps each item takes.
    """
    if n_steps != 1 or network is None:
        return
    filtered = [x for x in (*network.all_connections, *probes) if x.synapse is not None]
    if filtered:
        warn_user(
            f"Data of one time step, but {filtered[0]} has a synapse "
            f"({filtered[0].synapse}), whose output comes later or takes many "
            "steps to arrive. Did you mean to set synapse=None?"
        )

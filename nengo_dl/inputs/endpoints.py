"""The inputs and outputs of a simulator, and the one check of the data for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.distribution.shares import Share
from nengo_dl.inputs.arrays import Side, numbers
from nengo_dl.inputs.held import held
from nengo_dl.inputs.names import find, io_names, listing
from nengo_dl.inputs.pieces import pieces
from nengo_dl.inputs.shapes import Shape, TargetSize
from nengo_dl.user_code import warn_user
from nengo_dl.validation import positive_int

#: an array of shape (batch, n_steps, 0) among the inputs by name, which says how many
#: steps to run where no Node is given data; no Node has such a name
STEPS = "#steps"


@dataclass(frozen=True)
class TrainingData:
    """Arrays that were checked, for whole minibatches.

    Attributes
    ----------
    inputs : dict of {nengo.Node: np.ndarray}, shape (n_items, n_steps, size_out)
        What to present; Nodes that are not here have their own output. Of those that
        are held, shape (n_items, 1, size_out).
    targets : dict of {nengo.Probe: np.ndarray}, shape (n_items, n_steps, size_in)
        What is wanted.
    n_items : int
        How many there are, a multiple of the minibatch's size.
    n_steps : int
        How many time steps each takes.
    n_given : int
        How many items the user gave, before those were left out that do not fill a
        minibatch.
    """

    inputs: dict[nengo.Node, np.ndarray]
    targets: dict[nengo.Probe, np.ndarray]
    n_items: int
    n_steps: int
    n_given: int


@dataclass(frozen=True)
class Endpoints:
    """The inputs and outputs of a simulator, and the data that fit them.

    All data of users go through here: `presented` is for simulations, `check` for
    whole minibatches, as in training. What losses and metrics need besides, targets and
    weights, is checked by `nengo_dl.inputs.requirements.Requirements`.

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
    widths : mapping of nengo.Probe to int
        Elements of what Probes see: for those of learning rules ``size_in`` is 0.
    dt : float
        Time step of the simulation (s).
    share : Share or None
        What divides the reading of data between processes; None: there is one.
    """

    nodes: tuple[nengo.Node, ...]
    probes: tuple[nengo.Probe, ...]
    minibatch_size: int | None = None
    dtype: str = "float32"
    last_only: frozenset[nengo.Probe] = field(default_factory=frozenset)
    widths: Mapping[nengo.Probe, int] = field(default_factory=dict)
    dt: float = 0.001
    share: Share | None = None

    @cached_property
    def names(self) -> dict[nengo.Node | nengo.Probe, str]:
        """Names of all inputs and outputs."""
        return io_names(self.nodes, self.probes)

    @cached_property
    def inputs(self) -> Side:
        """The input Nodes, to which data can be presented."""
        return Side(nengo.Node, self.nodes, self.names)

    @cached_property
    def outputs(self) -> Side:
        """The Probes, for which targets can be given."""
        return Side(nengo.Probe, self.probes, self.names, self.widths, self.dt)

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
            of_dicts = isinstance(data, list | tuple) and any(
                isinstance(member, Mapping) for member in data
            )
            if data is None or isinstance(data, bool | str) or of_dicts:
                several = "; or a dataset or generator of such dicts" * of_dicts
                raise ValidationError(
                    f"Expected a dict {{Node: array, Probe: array}}, or a number of "
                    f"steps if all Nodes have their own output{several}; got "
                    f"{data!r:.100}",
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

    def presented(self, data: Any, n_steps: int) -> dict[nengo.Node, np.ndarray]:
        """Check the data of ``run``; return an array for each Node that has some.

        Parameters
        ----------
        data : dict, sequence of arrays, array or None
            By Node, label or name; in the order of the input Nodes; or one array, if
            there is one input Node. Arrays have shape (minibatch_size, n_steps, size);
            without a minibatch size also (n_steps, size).
        n_steps : int
            Steps that the data have to cover.

        Returns
        -------
        dict of {nengo.Node: np.ndarray}, shape (batch, n_steps, size_out)
            The values of each Node, in single or double precision as they were given.

        Raises
        ------
        ValidationError
            If a Node is not an input Node of the model, or an array does not fit.
        """
        if data is None:
            return {}
        shape = Shape(self.minibatch_size, self.minibatch_size or 1, n_steps)
        return {
            node: shape.fit(
                self.inputs,
                node,
                numbers(
                    held(values),
                    self.dtype,
                    f"Data for {node}",
                    shape.words(self.inputs.size(node)),
                    "data",
                    convert=False,
                ),
                "data",
            )
            for node, values in self.inputs.pairs(data, "data")
        }

    def check(
        self,
        inputs: Any = None,
        targets: Any = None,
        n_steps: int | None = None,
        *,
        attrs: tuple[str, str] = ("data", "data"),
        first_of_several: bool = False,
        own_steps: bool = False,
        sizes: Mapping[nengo.Probe, TargetSize] = {},
        one_minibatch: bool = False,
        of_dataset: bool = False,
        held: bool = False,
    ) -> TrainingData:
        """Check inputs and targets; return arrays for whole minibatches.

        Parameters
        ----------
        inputs, targets : dict, sequence of arrays, array or None
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
        sizes : mapping of nengo.Probe to {"equal", "class", "any"}
            Which sizes the last axis of targets may have, if not that of the Probe.
        one_minibatch : bool
            Whether there have to be just as many items as fill a minibatch.
        of_dataset : bool
            Whether this minibatch comes out of a dataset, so that it may be its last.
        held : bool
            Whether inputs of one step may be held for all of ``n_steps``; they have one
            step in what is returned, too.

        Returns
        -------
        TrainingData
            Floating point arrays of the simulator's type, without a copy where they
            have it already; large ones keep the type that they have. What does not fill
            a minibatch is left out, with a warning.

        Raises
        ------
        ValidationError
            If anything does not fit; it names the object, the given and the expected
            shape.
        """
        shape = Shape(self.minibatch_size)
        if n_steps is not None:
            shape.decide(positive_int(n_steps, "n_steps"), "n_steps")
        given = self._without_steps(inputs, shape, attrs[0])
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
                if array is None and sizes.get(obj) == "any":
                    # for losses that need none
                    continue
                is_probe = isinstance(obj, nengo.Probe)
                arrays[-1][obj] = shape.fit(
                    side,
                    obj,
                    numbers(
                        array,
                        self.dtype,
                        f"Data for {obj}",
                        shape.words(side.size(obj)),
                        attr,
                        missing=is_probe,
                        # single minibatches are checked while others are computed
                        share=None if one_minibatch else self.share,
                    ),
                    attr,
                    one_step=obj in self.last_only,
                    any_steps=is_probe and own_steps,
                    held=held and n_steps is not None and not is_probe,
                    size=sizes.get(obj, "equal"),
                )
        if shape.steps is None:
            raise ValidationError(
                "The number of time steps is not known: give data for an input Node, "
                f"or n_steps; the input Nodes are {listing(self.nodes, self.names)}",
                attr=attrs[0],
            )
        n_items = self._whole_minibatches(shape, attrs[0], one_minibatch, of_dataset)
        cut = [{obj: array[:n_items] for obj, array in part.items()} for part in arrays]
        return TrainingData(
            cut[0], cut[1], n_items, shape.steps, shape.items or n_items
        )

    def _without_steps(self, inputs: Any, shape: Shape, attr: str) -> Any:
        """Return inputs without a number of steps, as datasets for Keras carry it."""
        if not isinstance(inputs, Mapping):
            return inputs
        given = dict(inputs)
        if "n_steps" in given and "n_steps" not in self.names.values():
            shape.decide(_constant_steps(given.pop("n_steps"), attr), attr)
        return given

    def _whole_minibatches(
        self, shape: Shape, attr: str, one: bool, of_dataset: bool
    ) -> int:
        """Return how many items fill whole minibatches."""
        size = self.minibatch_size or 1
        if shape.items is None:
            return size
        if one and shape.items != size:
            hint = (
                ". What is left over at the end of a dataset, "
                "`dataset.batch(minibatch_size, drop_remainder=True)` drops"
            )
            raise ValidationError(
                f"Data for {shape.origin} have {shape.items} items; expected one "
                f"minibatch, which is {size}" + (hint if of_dataset else ""),
                attr=attr,
            )
        if shape.items < size:
            raise ValidationError(
                f"Data for {shape.origin} have {shape.items} items, and minibatch_size "
                f"is {size}: expected at least as many items. Give more data, or make "
                f"the simulator with a minibatch_size of at most {shape.items}",
                attr=attr,
            )
        rest = shape.items % size
        if rest:
            warn_user(
                f"The data have {shape.items} items, which is no multiple of "
                f"minibatch_size={size}: the last {rest} are left out"
            )
        return shape.items - rest


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


def warn_about_missing(
    targets: Mapping[nengo.Probe, np.ndarray], needed: Iterable[nengo.Probe]
) -> None:
    """Warn if targets are not a number where a loss or a metric cannot do without.

    Parameters
    ----------
    targets : mapping of Probe to np.ndarray
        What there is.
    needed : iterable of Probe
        Those whose loss becomes NaN if a target is.
    """
    for probe in dict.fromkeys(needed):
        own = targets.get(probe)
        parts = pieces(own) if own is not None and own.dtype.kind == "f" else ()
        if any(np.isnan(part).any() for part in parts):
            warn_user(
                f"Targets for {probe} are NaN in some places, and so becomes the loss, "
                "or a metric, which does not know that they are missing. "
                "`nengo_dl.losses.nan_mse` counts them as met, and so does the default "
                "objective of `train`"
            )


def warn_about_effect_of_missing(
    results: Iterable[Any],
    targets: Mapping[nengo.Probe, np.ndarray],
    warned: Collection[nengo.Probe],
) -> None:
    """Warn if targets are not a number, and a loss of the user's became none either.

    Users' functions may know that targets are missing, so what they return tells.

    Parameters
    ----------
    results : iterable of number or array
        Losses and metrics.
    targets : mapping of Probe to np.ndarray
        What there is.
    warned : collection of Probe
        Those about whose targets there has been a warning.
    """
    if any(np.isnan(values).any() for values in results):
        warn_about_missing(targets, [p for p in targets if p not in warned])


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

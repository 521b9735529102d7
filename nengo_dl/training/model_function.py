"""The model as differentiable functions of parameters, state and inputs."""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.distribution import divided
from nengo_dl.distribution.divided import Gradients
from nengo_dl.distribution.part_arguments import PartArguments
from nengo_dl.distribution.replicas import Replicas
from nengo_dl.distribution.workers import lost_workers
from nengo_dl.graph.gradients import Reach
from nengo_dl.graph.inputs import Input, Source
from nengo_dl.graph.roles import Role
from nengo_dl.graph.signals import initial_elements, size
from nengo_dl.inputs.feed import Feed
from nengo_dl.inputs.sources import Sources
from nengo_dl.lowering.indexing import select
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.adjoint import Tensors
from nengo_dl.program.built import Built
from nengo_dl.program.compile import compile_through_time
from nengo_dl.program.fingerprint import fingerprint
from nengo_dl.program.program import Program
from nengo_dl.program.through_time import Output, Series, ThroughTime
from nengo_dl.program.traces import Traces
from nengo_dl.program.value_keys import Same
from nengo_dl.training.function_key import described
from nengo_dl.training.layer_rules import LayerRules, rules_of


@dataclass(frozen=True, eq=False)
class ModelFunction:
    """The outputs of some Probes, as a pure function of parameters, state and inputs.

    Every way to train, measure or predict calls it: the compiled epochs of `train` and
    `loss`, the Keras model, `run_batch`, `check_gradients` and `Simulator.function`.
    It is differentiable, by back-propagation through time.

    Attributes
    ----------
    through_time : ThroughTime
        The model over a fixed number of steps.
    feed : Feed
        What it has to be fed, and where that comes from if no data are presented.
    reach : Reach
        What gradients reach.
    layout : SignalLayout
        Where parameters and state live in the simulation.
    step : Signal
        What counts the steps of the simulation.
    jit_compile : bool
        Whether XLA compiles what calls it: not where minibatches are divided.
    replicas : Replicas or None
        What divides minibatches between devices; None: nothing does.
    jit_parts : bool
        Whether XLA compiles what computes a part of a minibatch.
    rules : LayerRules or None
        What layers of TensorNodes ask of training, if somebody wants to know.
    """

    through_time: ThroughTime
    feed: Feed
    reach: Reach
    layout: SignalLayout
    step: Signal
    jit_compile: bool
    replicas: Replicas | None = None
    jit_parts: bool = False
    rules: LayerRules | None = None

    # -- on the host

    @property
    def inputs(self) -> Sequence[Input]:
        """The inputs of the model, whoever feeds them."""
        return self.feed.inputs

    def rewind(self, seed: int) -> None:
        """Start all random streams anew."""
        self.feed.sources.rewind(seed)

    def generated(self, presented: Collection[nengo.Node]) -> tuple[Input, ...]:
        """Return the inputs whose values change and that no data are presented for."""
        return tuple(
            item
            for item in self.fed
            if item.source is not Source.CONSTANT and item.node not in presented
        )

    def generate(
        self,
        presented: Collection[nengo.Node],
        n_steps: int,
        n_minibatches: int = 1,
        first_step: int = 0,
        stride: int = 0,
    ) -> dict[Signal, np.ndarray]:
        """Compute the values of the generated inputs for the next minibatches.

        Parameters
        ----------
        presented : collection of Node
            The Nodes that data are presented for.
        n_steps : int
            Steps of each minibatch.
        n_minibatches : int
            How many minibatches.
        first_step : int
            Number of the step before the first.
        stride : int
            Steps from the beginning of one minibatch to that of the next.

        Returns
        -------
        dict of {Signal: np.ndarray}, shape (n_minibatches, batch, n_steps, size)
            Axes of minibatches and of items have length 1 where all get the same.

        Raises
        ------
        SimulationError
            If a Python function of a Node fails.
        """
        dtype = self.dtype.as_numpy_dtype
        shared: list[Input] = []
        own: list[Input] = []
        for item in self.generated(presented):
            (own if stride or differs(item) else shared).append(item)
        values = {}
        places = []
        for items, count in ((own, n_minibatches), (shared, 1)):
            for item in items:
                batch = self.minibatch_size if differs(item) else 1
                array = np.zeros((count, batch, n_steps, item.signal.size), dtype)
                values[item.signal] = array
                places.append((item, array.swapaxes(1, 2)))
        nobody = dict.fromkeys(presented, np.zeros(0))
        _, error = self.feed.fill(
            places, n_steps, n_minibatches, nobody, first_step, stride
        )
        if error is not None:
            raise error
        return values

    # -- in TensorFlow

    def __call__(
        self,
        params: Tensors,
        state: Tensors,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        n_steps: int,
        first_step: int | tf.Tensor = 0,
        keep_state: bool = True,
        adapted: dict[Signal, tf.Tensor] | None = None,
        gradients: Gradients = "all",
    ) -> tuple[dict[Output, tf.Tensor], Tensors]:
        """Run one minibatch; return the outputs of Probes, and where the state ends.

        Parameters
        ----------
        params : sequence of tf.Tensor, shape (size,)
            The parameter blocks of the simulation.
        state : sequence of tf.Tensor, shape (batch, size)
            Where it starts: the carried blocks of the simulation.
        inputs : mapping of Node or Signal to tf.Tensor, shape (batch, n_steps, size)
            Data by Node, and what `generate` returned for one minibatch; what is the
            same for all items, or in all steps, may have an axis of length 1. What
            each process has read for itself has the rows of `Replicas.rows` alone.
        n_steps : int
            How many steps.
        first_step : int or tf.Tensor
            Number of the step before the first.
        keep_state : bool
            Whether anybody wants to know where it ends.
        adapted : dict, optional
            Filled with new values of parameters that change without a gradient.
        gradients : {"none", "params", "all"}
            What gradients will be asked for: see `divided.run`.

        Returns
        -------
        outputs : dict of {Probe: tf.Tensor}, shape (batch, n_steps, *shape)
            What the probes see.
        state : sequence of tf.Tensor, shape (batch, size)
            Where it ends: the carried blocks of the simulation, or those of the start
            if nobody wants to know. What the probes do not depend on is as it was.
        """
        live = self.live(params, state)
        outputs, end = self.part(
            live, inputs, n_steps, None, first_step, adapted, gradients, keep_state
        )
        if not keep_state:
            return outputs, state
        return outputs, self.state_after(live, end, n_steps)

    def live(self, params: Tensors, state: Tensors) -> SignalValues:
        """Return parameters and state as values of the simulation's Signals."""
        layout = self.layout
        blocks = dict(zip(layout.of_role(Role.PARAM), params, strict=True))
        blocks.update(zip(layout.carried(), state, strict=True))
        return SignalValues(layout, blocks, self.minibatch_size, self.dtype)

    def part(
        self,
        live: SignalValues,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        n_steps: int,
        carried: Tensors | None,
        first_step: int | tf.Tensor = 0,
        adapted: dict[Signal, tf.Tensor] | None = None,
        gradients: Gradients = "params",
        keep_state: bool = True,
    ) -> tuple[dict[Output, tf.Tensor], Tensors]:
        """Run some of the steps of a minibatch.

        Parameters
        ----------
        live : SignalValues
            What `live` returned.
        inputs, n_steps, first_step, adapted
            As for the function itself, for these steps.
        carried : sequence of tf.Tensor or None
            Where the part before it ended; None: this is the first.
        gradients : {"none", "params", "all"}
            What gradients will be asked for: see `divided.run`.
        keep_state : bool
            Whether anybody wants to know where it ends.

        Returns
        -------
        outputs : dict of {Probe: tf.Tensor}, shape (batch, n_steps, *shape)
            What the probes see.
        carried : sequence of tf.Tensor
            Where it ends; may be empty if nobody wants to know.
        """
        if self.replicas is not None:
            return self._divided(
                self.replicas,
                live,
                inputs,
                n_steps,
                carried,
                first_step,
                gradients,
                keep_state,
            )
        if self._called:
            first_step = self._hold(inputs, n_steps, first_step)
        series = self._series(inputs, n_steps)
        return self.through_time(live, series, n_steps, carried, first_step, adapted)

    def layer_loss(
        self, live: SignalValues, outputs: Mapping[Any, tf.Tensor]
    ) -> list[tf.Tensor]:
        """Return what layers of TensorNodes add to the loss, shape (), if they do.

        Parameters
        ----------
        live : SignalValues
            What `live` returned.
        outputs : mapping of Probe or Signal to tf.Tensor
            What `part` returned.
        """
        if self.rules is None or not self.rules.has_losses:
            return []
        return [self.rules.loss(self.layout, live, outputs)]

    def _divided(
        self,
        replicas: Replicas,
        live: SignalValues,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        n_steps: int,
        carried: Tensors | None,
        first_step: int | tf.Tensor,
        gradients: Gradients,
        keep_state: bool,
    ) -> tuple[dict[Output, tf.Tensor], Tensors]:
        """Run some of the steps of a minibatch part by part; see `part`."""
        probes = list(self.through_time.outputs)
        given = self._arguments(live, inputs, carried, first_step)
        shared, items, local = given.flat()
        # gradients that nobody asks for would be computed, too
        n_asked = len(shared) + (len(items) if gradients == "all" else 0)
        undivided = replace(self, replicas=None)

        def part(*tensors: tf.Tensor) -> list[tf.Tensor]:
            stopped = map(tf.stop_gradient, tensors[n_asked:])
            own = given.refilled((*tensors[:n_asked], *stopped))
            params, same, first = own.shared
            state, begun, whole = own.items
            outputs, end = undivided.part(
                undivided.live(params, state),
                {**same, **whole, **own.local[0]},
                n_steps,
                begun,
                first,
            )
            return [*(outputs[probe] for probe in probes), *end]

        specs = given.specs(replicas.part)
        names = [tuple(own) for own in self.by_rows(inputs)]
        key = (n_steps, carried is None, gradients == "all", *names, *specs)

        def trace(jit_compile: bool) -> Any:
            traced = tf.function(part, jit_compile=jit_compile, autograph=False)
            with tf.init_scope(), tf.device(None):
                return traced.get_concrete_function(*specs)

        def plain(*tensors: tf.Tensor) -> Tensors:
            own = self._parts.get((key, "plain"), lambda: trace(False))
            return list(own(*tensors))

        compiled = self._parts.get(key, lambda: trace(self.jit_parts))
        wanted = len(compiled.outputs) if keep_state else len(probes)
        run = self._by_replicas(replicas, compiled, key, wanted, gradients, plain)
        with lost_workers():
            found = run(shared, items, local=local)
        outputs = dict(zip(probes, found[: len(probes)], strict=True))
        return outputs, found[len(probes) :]

    def _arguments(
        self,
        live: SignalValues,
        inputs: Mapping[nengo.Node | Signal, tf.Tensor],
        carried: Tensors | None,
        first_step: int | tf.Tensor,
    ) -> PartArguments:
        """Return what is handed to devices that compute a part each; see `part`."""
        layout = self.layout
        blocks = [layout.blocks[i] for i in layout.of_role(Role.PARAM)]
        params = [live.read(layout.view(b.signals, (b.size,))) for b in blocks]
        state = [live.block(i) for i in layout.carried()]
        begun = None if carried is None else list(carried)
        whole, same, read = self.by_rows(inputs)
        return PartArguments(
            shared=[params, same, tf.convert_to_tensor(first_step)],
            items=[state, begun, whole],
            local=[read],
        )

    def _by_replicas(
        self,
        replicas: Replicas,
        part: Callable[..., Tensors],
        key: Hashable,
        n_outputs: int,
        gradients: Gradients,
        plain: Callable[..., Tensors],
    ) -> Callable[..., list[tf.Tensor]]:
        """Return what computes all parts, eagerly or in a graph: see `divided.run`."""
        if not tf.executing_eagerly():
            return partial(
                divided.run,
                replicas,
                part,
                n_outputs=n_outputs,
                gradients=gradients,
                plain=plain,
            )
        return self._parts.get(
            (key, n_outputs, gradients),
            lambda: divided.eagerly(replicas, part, n_outputs, gradients, plain),
        )

    def by_rows(
        self, inputs: Mapping[nengo.Node | Signal, tf.Tensor]
    ) -> tuple[dict[nengo.Node | Signal, tf.Tensor], ...]:
        """Return what has a row for each item, one for all, and the process's rows."""
        found: tuple[dict[nengo.Node | Signal, tf.Tensor], ...] = ({}, {}, {})
        kinds = {1: 1, self.minibatch_size: 0}
        for key, values in inputs.items():
            if key in self._keys:
                found[kinds.get(values.shape[0], 2)][key] = values
        return found

    def _series(
        self, given: Mapping[nengo.Node | Signal, tf.Tensor], n_steps: int
    ) -> Series:
        """Return the inputs of all steps, shape (batch, n_steps, size) each."""
        series = {}
        for item in self.fed:
            if item.node in given:
                rows = given[item.node]
            elif item.signal in given:
                rows = given[item.signal]
            else:  # a constant
                values = initial_elements(item.signal)
                rows = tf.constant(values.astype(self.dtype.as_numpy_dtype))
            shape = (self.minibatch_size, n_steps, item.signal.size)
            series[item.signal] = tf.broadcast_to(rows, shape)
        return series

    def _hold(
        self,
        presented: Mapping[nengo.Node | Signal, tf.Tensor],
        n_steps: int,
        first_step: int | tf.Tensor,
    ) -> tf.Tensor:
        """Hand data for Nodes that are called in the loop over to Python."""
        held = [item for item in self._called if item.node in presented]
        place = self.through_time.loop.presented

        def host(step: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
            pairs = zip(held, arrays, strict=True)
            place.values = {
                item.op: np.repeat(array, n_steps // array.shape[1], axis=1)
                for item, array in pairs
            }
            place.first_step = int(step)
            return np.int32(step)

        number = tf.numpy_function(
            host,
            [tf.cast(first_step, tf.int32), *(presented[i.node] for i in held)],
            tf.int32,
        )
        number.set_shape(())
        return number

    def state_after(
        self, live: SignalValues, end: Tensors, n_steps: int | tf.Tensor
    ) -> list[tf.Tensor]:
        """Return the carried blocks of the simulation after some steps.

        Parameters
        ----------
        live : SignalValues
            What `live` returned.
        end : sequence of tf.Tensor
            Where `part` ended.
        n_steps : int or tf.Tensor
            How many steps are over since ``live``.
        """
        if self.step in self.layout.places:
            counter = self.layout.view([self.step], ())
            live.set(counter, live.read(counter) + n_steps)
        for block, values in zip(self.through_time.carried, end, strict=True):
            stop, kept, stretches = 0, [], []
            for base in block.signals:
                start, stop = stop, stop + size(base)
                place = self.layout.places.get(base)
                if place and self.layout.blocks[place[0]].role.carried:
                    kept.append(base)
                    stretches.append((start, stop))
            if kept:
                length = sum(map(size, kept))
                live.set(self.layout.view(kept, (length,)), select(values, stretches))
        return [live.block(i) for i in self.layout.carried()]

    # -- what follows from the attributes

    @property
    def minibatch_size(self) -> int:
        """Number of items in the batch."""
        if self.replicas is not None:
            return self.replicas.minibatch_size
        return self.through_time.minibatch_size

    @property
    def divides_gradients(self) -> bool:
        """Whether devices may compute the gradients for their items by themselves.

        Not if layers add what is about all items to the loss.
        """
        rules = self.rules
        return self.replicas is not None and (rules is None or not rules.added)

    @property
    def own_items(self) -> slice:
        """The items of a minibatch that this process computes."""
        if self.replicas is not None:
            return self.replicas.rows
        return slice(0, self.minibatch_size)

    def n_rows(self, values: tf.Tensor) -> int:
        """Return how many rows an input has: the minibatch's, or this process's."""
        own = self.own_items.stop - self.own_items.start
        return own if values.shape[0] == own else self.minibatch_size

    def specs(self, n_steps: int) -> dict[Output, tf.TensorSpec]:
        """Return shape and type of what each probe sees in so many steps."""
        return {
            probe: tf.TensorSpec((self.minibatch_size, *spec.shape[1:]), spec.dtype)
            for probe, spec in self.through_time.specs(n_steps).items()
        }

    @property
    def dtype(self) -> tf.DType:
        """Floating point type."""
        return self.through_time.dtype

    @property
    def operators(self) -> list[Operator]:
        """All operators that it runs."""
        groups = [group for part in self.through_time.parts for group in part.plan]
        return [op for group in groups for op in group.ops]

    @cached_property
    def _called(self) -> tuple[Input, ...]:
        """The Nodes whose functions are called in the loop."""
        return tuple(
            item
            for item in self.inputs
            if item.source is Source.IN_STEP and item.node is not None
        )

    @cached_property
    def fed(self) -> tuple[Input, ...]:
        """The inputs that have to be fed for every step."""
        through_time = self.through_time
        needed = {signal.base for signal in through_time.outputs.values()}
        for part in (through_time.before, through_time.loop, through_time.after):
            for i in part.layout.of_role(Role.INPUT):
                needed.update(part.layout.blocks[i].signals)
        return tuple(
            item for item in self.inputs if item.lifted and item.signal in needed
        )

    @cached_property
    def _parts(self) -> Traces:
        """Traced functions of one part of a minibatch, by what they depend on."""
        return Traces()

    @cached_property
    def _keys(self) -> frozenset[nengo.Node | Signal]:
        """All that may stand for an input that has to be fed."""
        found = {item.signal for item in self.fed}
        return frozenset(found | {i.node for i in self.fed if i.node is not None})

    def places(self, nodes: Iterable[nengo.Node]) -> tuple[int | None, ...]:
        """Return which of the inputs some Nodes are; None for what is not fed."""
        numbers = {item.node: i for i, item in enumerate(self.fed)}
        return tuple(numbers.get(node) for node in nodes)

    @cached_property
    def key(self) -> Hashable:
        """All that a trace of the function depends on, or the function itself.

        Functions with equal keys compute the same for the same arguments, whichever
        simulator they belong to.
        """
        unknown = self.replicas or self.rules
        found = None if unknown else fingerprint(*described(self))
        return Same(self) if found is None else found


def differs(item: Input) -> bool:
    """Return whether an input has other values in each item and each minibatch."""
    return item.source in (Source.PROCESS, Source.DRAWS)


class ModelFunctions:
    """The functions of one model, each planned and lowered when it is first asked for.

    Parameters
    ----------
    built : Built
        The built model, and how it is simulated.
    program : Program
        The simulation.
    """

    def __init__(self, built: Built, program: Program) -> None:
        self._built = built
        self._program = program
        self._functions: dict[tuple, ModelFunction] = {}

    @property
    def mixed(self) -> bool:
        """Whether training computes products with fewer digits than the rest."""
        return self._built.settings.mixed_precision is not None

    @cached_property
    def rules(self) -> LayerRules:
        """What layers of TensorNodes ask of training."""
        return rules_of(self._built.order, self._built.trained)

    def exact(self) -> ModelFunctions:
        """Return the functions of the same model in double precision."""
        return ModelFunctions(self._built.exact(), self._program)

    def of(
        self,
        probes: Iterable[nengo.Probe],
        training: bool,
        any_state: bool = False,
        as_rates: bool = False,
        with_rules: bool = False,
        whole: bool = False,
    ) -> ModelFunction:
        """Return the model as a function of time, for some probes.

        Parameters
        ----------
        probes : iterable of Probe
            What is asked for.
        training : bool
            Whether rates, or spikes with surrogate gradients, stand in for spikes;
            ``configure_settings(learning_phase=...)`` has the last word.
        any_state : bool
            Whether users hand in the state that it begins with.
        as_rates : bool
            Whether rates stand in for spikes outside of training, too.
        with_rules : bool
            Whether it is for losses, to which layers of TensorNodes may add theirs.
        whole : bool
            Whether what no probe depends on runs, too: the simulation goes on from
            where the function ends.
        """
        phase = self._built.settings.learning_phase
        training = training if phase is None else phase
        as_rates = as_rates and not training
        with_rules = with_rules and bool(self.rules)
        key = (
            tuple(dict.fromkeys(probes)),
            training,
            any_state,
            as_rates,
            with_rules,
            whole,
        )
        if key not in self._functions:
            self._functions[key] = self._make(*key)
        return self._functions[key]

    def _make(
        self,
        probes: tuple[nengo.Probe, ...],
        training: bool,
        any_state: bool,
        as_rates: bool,
        with_rules: bool,
        whole: bool,
    ) -> ModelFunction:
        built = replace(self._built, any_state=any_state)
        added = self.rules.added if with_rules else ()
        through_time, inputs, reached = compile_through_time(
            built, probes, training, as_rates, added, whole
        )
        sources = Sources(
            inputs,
            through_time.loop.lowerings,
            self._built.order,
            self._built.model.dt,
            self._program.minibatch_size,
            through_time.dtype.as_numpy_dtype,
        )
        whole = through_time.minibatch_size == self._program.minibatch_size
        jit = self._program.jit_compile and not through_time.calls_python
        return ModelFunction(
            through_time,
            Feed(sources),
            reached,
            self._program.layout,
            self._built.model.step,
            jit and whole,
            None if whole else self._built.replicas,
            jit_parts=jit,
            rules=self.rules if with_rules else None,
        )

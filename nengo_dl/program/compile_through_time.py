"""Every stage from a built Nengo model to a differentiable function through time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial

import nengo
import tensorflow as tf
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.config import Settings
from nengo_dl.graph.garbage import no_garbage_collection
from nengo_dl.graph.gradients import Reach, reach
from nengo_dl.graph.inputs import Input, lift
from nengo_dl.graph.needed import needed
from nengo_dl.graph.phases import partition
from nengo_dl.graph.rates import with_rates
from nengo_dl.graph.roles import Role, assign
from nengo_dl.graph.series import view_of
from nengo_dl.graph.signals import written
from nengo_dl.graph.simplify import simplify
from nengo_dl.graph.surrogate_neurons import with_surrogates
from nengo_dl.graph.tensor_operator import with_training
from nengo_dl.lowering import registry
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.lowering.neurons.surrogate import has_surrogate
from nengo_dl.program.segment import Segment, compile_segment
from nengo_dl.program.through_time import ThroughTime


@no_garbage_collection()
def compile_through_time(
    model: Model,
    nengo_order: Sequence[Operator],
    trainable: dict[Signal, bool],
    settings: Settings,
    probes: Iterable[nengo.Probe],
    minibatch_size: int = 1,
    training: bool = True,
    unroll: int = 1,
) -> tuple[ThroughTime, tuple[Input, ...], Reach]:
    """Translate what some probes depend on into one differentiable function.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    nengo_order : sequence of Operator
        Its operators in the order in which Nengo steps them.
    trainable : dict of {Signal: bool}
        The parameters, and which of them an optimizer may change.
    settings : Settings
        What the user configured.
    probes : iterable of Probe
        What is asked for.
    minibatch_size : int
        Number of items in the batch.
    training : bool
        Whether rates, or spikes with surrogate gradients, stand in for spikes, and
        TensorFlow code runs as in training.
    unroll : int
        Number of steps if there is no loop.

    Returns
    -------
    through_time : ThroughTime
        The function.
    inputs : tuple of Input
        What it has to be fed.
    reach : Reach
        What gradients reach.
    """
    targets = {probe: model.sig[probe]["in"] for probe in probes}
    operators: Sequence[Operator] = nengo_order
    if training:
        if settings.surrogate is not None:
            operators = with_surrogates(
                operators, settings.surrogate, has_surrogate, rate_equivalent
            )
        rates_of = partial(rate_equivalent, smoothing=settings.lif_smoothing)
        operators = with_rates(operators, rates_of)
        operators = with_training(operators)
    draws = partial(registry.fed_draws, nengo_only=settings.nengo_random_draws)
    operators, inputs = lift(model, operators, registry.runs_user_code, draws)
    fed = frozenset(i.signal for i in inputs if i.lifted and i.signal is not None)
    trained = frozenset(signal for signal, is_on in trainable.items() if is_on)
    operators = simplify(operators, settings.simplifications, fed, trained)
    operators = needed(operators, targets.values())

    roles = assign(operators, fed, trainable, registry.carries, registry.redundant)
    phases = partition(
        operators,
        roles,
        registry.needs_loop,
        registry.across_time,
        registry.runs_python,
    )
    ends = {
        probe: view_of(signal, phases.ends[signal.base])
        if signal.base in phases.ends
        else signal
        for probe, signal in targets.items()
    }
    known = phases.known()

    def segment(operators: Sequence[Operator], given: Collection[Signal]) -> Segment:
        changed = {signal.base for op in operators for signal in written(op)}
        own = {
            base: Role.INPUT
            if base in given and base not in changed and role is not Role.PARAM
            else role
            for base, role in phases.roles.items()
        }
        return compile_segment(model, operators, own, trained, settings, minibatch_size)

    through_time = ThroughTime(
        segment(phases.before, known),
        segment(phases.loop, known),
        segment(phases.after, phases.roles),
        ends,
        minibatch_size,
        tf.as_dtype(settings.dtype),
        frozenset(p for p in targets if not settings.keeps_history(p)),
        None if settings.use_loop else unroll,
    )
    return through_time, inputs, reach(operators, targets.values(), trained, _blocks)


def _blocks(op: Operator) -> bool:
    """Whether an operator lets no gradient pass: Python code, or spikes."""
    spikes = type(op) is SimNeurons and bool(op.neurons.spiking)
    return spikes or registry.runs_python(op)

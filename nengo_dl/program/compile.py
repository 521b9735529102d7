"""Every stage from a built Nengo model to TensorFlow, in the order in which they run.

There are two ways. `compile_program` makes the simulation: a loop over any number of
steps. `compile_through_time` makes what is trained: a differentiable function of a
fixed number of steps. Both begin with `prepare`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import nengo
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator, SimPyFunc
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal

from nengo_dl.graph.ahead import ahead
from nengo_dl.graph.draws import DrawnNeurons
from nengo_dl.graph.garbage import no_garbage_collection
from nengo_dl.graph.gradients import Reach, reach
from nengo_dl.graph.inputs import Input, lift
from nengo_dl.graph.needed import needed
from nengo_dl.graph.operators import Operators
from nengo_dl.graph.phases import partition
from nengo_dl.graph.rates import with_rates
from nengo_dl.graph.roles import Role, assign
from nengo_dl.graph.series import view_of
from nengo_dl.graph.signals import written
from nengo_dl.graph.simplify import simplify
from nengo_dl.graph.simplify.facts import is_pure
from nengo_dl.graph.surrogate_neurons import with_surrogates
from nengo_dl.graph.tensor_operator import SimTensorNode, with_training
from nengo_dl.graph.trained_attributes import TrainedNeurons, with_attributes
from nengo_dl.graph.verify import verify
from nengo_dl.lowering import registry
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.lowering.neurons.surrogate import has_surrogate
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.built import Built
from nengo_dl.program.program import Program
from nengo_dl.program.recording import Recording
from nengo_dl.program.rematerialisation import Rematerialisation, machine_memory
from nengo_dl.program.segment import Segment, compile_segment
from nengo_dl.program.through_time import ThroughTime


@dataclass(frozen=True)
class Prepared:
    """The operators that are left in the time step, with inputs and roles.

    Attributes
    ----------
    operators : Operators
        What runs.
    inputs : tuple of Input
        What has to be fed, and what calls itself.
    roles : dict of {Signal: Role}
        The part that each base Signal plays.
    """

    operators: Operators
    inputs: tuple[Input, ...]
    roles: dict[Signal, Role]


def prepare(
    built: Built,
    operators: Sequence[Operator],
    wanted: Iterable[Signal] | None = None,
) -> Prepared:
    """Take from the time steps what they do not have to do.

    Parameters
    ----------
    built : Built
        What is compiled.
    operators : sequence of Operator
        What runs, in the order in which Nengo steps it.
    wanted : iterable of Signal, optional
        All that is asked for; what neither these nor functions of Nodes depend on is
        left out.
    """
    settings, order = built.settings, built.order.apart()
    draws = partial(registry.fed_draws, nengo_only=settings.nengo_random_draws)
    kept, inputs = lift(built.model, operators, registry.runs_user_code, draws)
    fed = frozenset(i.signal for i in inputs if i.lifted and i.signal is not None)
    uses = order.like(with_attributes(kept, built.trainable))
    verify(uses, fed, after="lifting the inputs")
    kept = simplify(uses, settings.simplifications, fed, built.trained)
    if wanted is not None:
        # functions and Processes of the user may have effects outside the network,
        # which others of them see
        called = [
            op
            for op in kept
            if isinstance(op, SimPyFunc | SimProcess) and registry.runs_user_code(op)
        ]
        kept = needed(kept, wanted, called)
    # simplifications of the user may have changed operators that are still there
    known = all(map(is_pure, settings.simplifications))
    uses = uses.like(kept) if known else Operators(kept)
    carries, redundant = registry.carries, registry.redundant
    roles = assign(uses, fed, built.trainable, carries, redundant)
    return Prepared(uses, inputs, roles)


def compile_program(
    built: Built,
    training: bool = False,
    every_step: bool = False,
    as_rates: bool = False,
) -> Program:
    """Translate a built model into one function of tensors.

    Parameters
    ----------
    built : Built
        What is compiled.
    training : bool
        Whether it runs as it does in training; see `compile_through_time`.
    every_step : bool
        Whether Probes keep each step, also those with ``sample_every``.
    as_rates : bool
        Whether rates stand in for spikes outside of training, too.

    Returns
    -------
    Program
        Nothing is traced or compiled before its first call.
    """
    # what the loop does not have to do
    settings = built.settings
    prepared = prepare(built, _in_mode(built, training, as_rates))
    operators, roles = prepared.operators, prepared.roles
    built = built.divided(operators)
    if settings.use_loop:
        operators, roles = ahead(operators, roles, _stays_in_loop, built.minibatch_size)

    # in which order, what together, and where everything lives
    segment = compile_segment(built, operators, roles, differentiable=False)

    return Program(
        segment.plan,
        segment.layout,
        segment.lowerings,
        prepared.inputs,
        tuple(_recordings(built, segment.layout, every_step)),
        segment.presented,
        built.minibatch_size,
        tf.as_dtype(settings.dtype),
        built.unroll,
        settings.jit_compile is not False and all(map(registry.compiles, operators)),
        built.device,
        settings.use_loop,
        built.replicas,
    )


@no_garbage_collection()
def compile_through_time(
    built: Built,
    probes: Iterable[nengo.Probe],
    training: bool = True,
    as_rates: bool = False,
    added: Sequence[Signal] = (),
    whole: bool = False,
) -> tuple[ThroughTime, tuple[Input, ...], Reach]:
    """Translate what some probes depend on into one differentiable function.

    Parameters
    ----------
    built : Built
        What is compiled.
    probes : iterable of Probe
        What is asked for.
    training : bool
        Whether rates, or spikes with surrogate gradients, stand in for spikes, and
        TensorFlow code runs as in training.
    as_rates : bool
        Whether rates stand in for spikes outside of training, too.
    added : sequence of Signal
        What layers of TensorNodes add to the loss, if that is asked for: further
        outputs, each by itself.
    whole : bool
        Whether what no output depends on runs, too, because its state is wanted.

    Returns
    -------
    through_time : ThroughTime
        The function.
    inputs : tuple of Input
        What it has to be fed.
    reach : Reach
        What gradients reach.
    """
    settings = built.settings
    targets: dict[nengo.Probe | Signal, Signal] = {
        **{probe: built.model.sig[probe]["in"] for probe in probes},
        **{signal: signal for signal in added},
    }
    operators = _in_mode(built, training, as_rates)
    prepared = prepare(built, operators, None if whole else targets.values())
    built = built.divided(prepared.operators, bool(added))
    if training:
        built = replace(built, products=settings.mixed_precision)

    # what needs no loop
    phases = partition(
        prepared.operators,
        prepared.roles,
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
        own_operators = prepared.operators.like(operators)
        return compile_segment(built, own_operators, own, apart=built.trained)

    through_time = ThroughTime(
        segment(phases.before, known),
        segment(phases.loop, known),
        segment(phases.after, phases.roles),
        ends,
        built.part,
        tf.as_dtype(settings.dtype),
        frozenset(
            output
            for output in targets
            if isinstance(output, nengo.Probe) and not settings.keeps_history(output)
        ),
        None if settings.use_loop else built.unroll,
        Rematerialisation(settings.rematerialisation, machine_memory()),
    )
    reached = reach(prepared.operators, targets.values(), built.trained, _blocks)
    return through_time, prepared.inputs, reached


def _in_mode(built: Built, training: bool, as_rates: bool) -> Sequence[Operator]:
    """Return the operators that run in training or outside of it, in place of all."""
    settings = built.settings
    operators: Sequence[Operator] = built.order
    rates_of = partial(rate_equivalent, smoothing=settings.lif_smoothing)
    if not training:
        return with_rates(operators, rates_of) if as_rates else operators
    if settings.surrogate is not None:
        operators = with_surrogates(
            operators, settings.surrogate, has_surrogate, rate_equivalent
        )
    return with_training(with_rates(operators, rates_of))


def _stays_in_loop(op: Operator) -> bool:
    """Whether an operator remembers, or calls code of the user.

    TensorFlow code may count on the size of the minibatch.
    """
    return registry.needs_loop(op) or isinstance(op, SimTensorNode)


def _blocks(op: Operator) -> bool:
    """Whether an operator lets no gradient pass: Python code, or spikes."""
    if isinstance(op, TrainedNeurons):
        return _blocks(op.op)
    plain = type(op) in (SimNeurons, DrawnNeurons)
    spikes = plain and bool(op.neurons.spiking)
    return spikes or registry.runs_python(op)


def _recordings(
    built: Built, layout: SignalLayout, every_step: bool
) -> Iterable[Recording]:
    """Return a `Recording` for each Probe: which samples it keeps."""
    model, settings = built.model, built.settings
    for probe in model.probes:
        signal = model.sig[probe]["in"]
        each = every_step or probe.sample_every is None
        period = 1.0 if each else probe.sample_every / model.dt
        yield Recording(
            probe,
            layout.view([signal], None if signal.sparse else signal.shape),
            period,
            settings.keeps_history(probe),
            signal if signal.sparse or signal.dtype.kind in "iu" else None,
        )

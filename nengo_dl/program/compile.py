"""Every stage from a built Nengo model to a Program, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import tensorflow as tf
from nengo.builder import Model
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.config import Settings
from nengo_dl.graph.ahead import ahead
from nengo_dl.graph.inputs import lift
from nengo_dl.graph.roles import assign
from nengo_dl.graph.simplify import simplify
from nengo_dl.graph.tensor_operator import SimTensorNode
from nengo_dl.graph.verify import verify
from nengo_dl.lowering import registry
from nengo_dl.plan.layout import SignalLayout
from nengo_dl.program.program import Program
from nengo_dl.program.recording import Recording
from nengo_dl.program.segment import compile_segment


def compile_program(
    model: Model,
    nengo_order: Sequence[Operator],
    trainable: dict[Signal, bool],
    settings: Settings,
    minibatch_size: int = 1,
    unroll: int = 1,
    device: str | None = None,
) -> Program:
    """Translate a built model into one function of tensors.

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
    minibatch_size : int
        Number of items in the batch.
    unroll : int
        Steps in one iteration of the loop.
    device : str or None
        TensorFlow's name of the device.

    Returns
    -------
    Program
        Nothing is traced or compiled before its first call.
    """
    # what the loop does not have to do
    draws = partial(registry.fed_draws, nengo_only=settings.nengo_random_draws)
    operators, inputs = lift(model, nengo_order, registry.runs_user_code, draws)
    fed = frozenset(i.signal for i in inputs if i.lifted and i.signal is not None)
    verify(operators, fed, after="lifting the inputs")
    trained = frozenset(signal for signal, is_on in trainable.items() if is_on)
    operators = simplify(operators, settings.simplifications, fed, trained)

    # in which order, what together, and where everything lives
    roles = assign(operators, fed, trainable, registry.carries, registry.redundant)
    if settings.use_loop:
        operators, roles = ahead(operators, roles, _stays_in_loop, minibatch_size)
    segment = compile_segment(
        model, operators, roles, trained, settings, minibatch_size
    )

    return Program(
        segment.plan,
        segment.layout,
        segment.lowerings,
        inputs,
        tuple(_recordings(model, segment.layout, settings)),
        segment.presented,
        minibatch_size,
        tf.as_dtype(settings.dtype),
        unroll,
        settings.jit_compile is not False and all(map(registry.compiles, operators)),
        device,
        settings.use_loop,
    )


def _stays_in_loop(op: Operator) -> bool:
    """Whether an operator remembers, or calls code of the user.

    TensorFlow code may count on the size of the minibatch.
    """
    return registry.needs_loop(op) or isinstance(op, SimTensorNode)


def _recordings(
    model: Model, layout: SignalLayout, settings: Settings
) -> Iterable[Recording]:
    """Return what each probe keeps."""
    for probe in model.probes:
        signal = model.sig[probe]["in"]
        period = 1.0 if probe.sample_every is None else probe.sample_every / model.dt
        yield Recording(
            probe,
            layout.view([signal], None if signal.sparse else signal.shape),
            period,
            settings.keeps_history(probe),
            signal if signal.sparse or signal.dtype.kind in "iu" else None,
        )

"""Which operators some signals depend on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal

from nengo_dl.graph.signals import written


def needed(
    operators: Sequence[Operator],
    signals: Iterable[Signal],
    always: Collection[Operator] = (),
) -> list[Operator]:
    """Return the operators that the values of ``signals`` depend on, in their order.

    Through other steps too: who changes a signal that is needed in any step is needed.

    Parameters
    ----------
    operators : sequence of Operator
        All of them.
    signals : iterable of Signal
        What is asked for.
    always : collection of Operator
        Those that run although nobody asks for their output, and so does all that they
        depend on.
    """
    writers: dict[Signal, list[Operator]] = defaultdict(list)
    for op in operators:
        for signal in written(op):
            writers[signal.base].append(op)
    found: set[Operator] = set(always)
    seen = {signal.base for signal in signals}
    seen |= {signal.base for op in always for signal in op.all_signals}
    waiting = list(seen)
    while waiting:
        for op in writers[waiting.pop()]:
            if op in found:
                continue
            found.add(op)
            fresh = {signal.base for signal in op.all_signals} - seen
            seen |= fresh
            waiting += fresh
    return [op for op in operators if op in found]

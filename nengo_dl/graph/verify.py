"""Checks of an operator graph between simplifications: whether it is valid still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.signals import describe


def verify(
    operators: Sequence[Operator], inputs: Collection[Signal] = (), after: str = ""
) -> None:
    """Check the operators against the rules that every later stage relies on.

    1. No operator stands in the list twice.
    2. No signal is set, or updated, by two operators.
    3. Nobody sets or updates an input.

    Parameters
    ----------
    operators : sequence of Operator
        The operators of the loop.
    inputs : collection of Signal
        Signals that are fed from outside.
    after : str
        The pass that just ran, for the message.

    Raises
    ------
    BuildError
        If a rule is broken; the message names the rule and the operator.
    """
    where = f" after {after}" if after else ""
    if len(set(operators)) < len(operators):
        op, times = Counter(operators).most_common(1)[0]
        raise BuildError(f"{describe(op)} stands {times} times in the graph{where}")
    fed = {signal.base for signal in inputs}
    set_by: dict[Signal, Operator] = {}
    updated_by: dict[Signal, Operator] = {}
    for op in operators:
        for name, signals, owner in (
            ("sets", op.sets, set_by),
            ("updates", op.updates, updated_by),
        ):
            for signal in signals:
                if signal in owner:
                    raise BuildError(
                        f"Two operators have {signal} among their {name}{where}: "
                        f"{describe(owner[signal])} and {describe(op)}"
                    )
                if signal.base in fed:
                    raise BuildError(
                        f"{describe(op)} changes {signal}, which is an input{where}"
                    )
                owner[signal] = op

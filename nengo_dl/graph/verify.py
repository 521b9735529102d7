"""Checks of an operator graph between simplifications: whether it is valid still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import numpy as np
from nengo.builder.operator import Operator
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

from nengo_dl.graph.operators import Operators
from nengo_dl.graph.signals import describe


def verify(
    operators: Iterable[Operator], inputs: Collection[Signal] = (), after: str = ""
) -> None:
    """Check the operators against the rules that every later stage relies on.

    1. No operator stands in the list twice.
    2. No signal is set, or updated, by two operators.
    3. Nobody sets or updates an input.

    Parameters
    ----------
    operators : iterable of Operator
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
    operators = Operators.of(operators)
    numbers, where = operators.numbers, f" after {after}" if after else ""
    if len(set(operators)) < len(operators):
        op, times = Counter(operators).most_common(1)[0]
        raise BuildError(f"{describe(op)} stands {times} times in the graph{where}")
    fed = numbers.of(signal.base for signal in inputs)
    for kind in ("sets", "updates"):
        ops, signals = operators.uses(kind)
        changing = np.flatnonzero(np.isin(operators.bases(kind), fed))
        if changing.size:
            op, signal = operators[ops[changing[0]]], signals[changing[0]]
            raise BuildError(
                f"{describe(op)} changes an input, {numbers.signals[signal]}{where}"
            )
        several = np.flatnonzero(np.bincount(signals) > 1)
        if several.size:
            first, second = (operators[i] for i in ops[signals == several[0]][:2])
            raise BuildError(
                f"Two operators have {numbers.signals[several[0]]} among their {kind}"
                f"{where}: {describe(first)} and {describe(second)}"
            )

"""Whether a random network comes out as in Nengo, and how sure Nengo itself is.

A network may amplify rounding errors: one that turns a spike into none changes all that
follows. Where our output differs, Nengo is run again with some errors added (`Rounding`
in ``record.py``). What these change, Nengo leaves open; only more than that is taken
for a difference.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

import nengo
import numpy as np

from tests.random_networks.options import Options
from tests.random_networks.program import Program
from tests.random_networks.record import Record, run_nengo, run_nengo_dl

#: largest deviation, as a part of the largest value that a probe has recorded so far
RTOL = 1e-11
#: what is smaller is the rounding error of larger numbers
ATOL = 1e-13
#: sizes of errors that are added to Nengo's, in one run after the other
ERRORS = (*[1e-15] * 5, *[1e-14] * 5, *[1e-13] * 5, *[1e-12] * 5)
#: how often we may deviate as far as Nengo with these errors
FACTOR = 10


class Verdict(enum.Enum):
    """How a comparison can end."""

    SAME = "as in Nengo"
    SENSITIVE = "as close to Nengo as Nengo is to itself with rounding errors"
    REFUSED = "Nengo cannot build it, and we cannot for the same reason"
    DIFFERENT = "not as in Nengo"


@dataclass(frozen=True)
class Result:
    """What a comparison has found.

    Attributes
    ----------
    verdict : Verdict
        How it ended.
    message : str
        What differs, and where.
    n_steps : int
        How many steps were compared.
    diverged : bool
        Whether these are not all, because Nengo failed or its values became infinite.
    """

    verdict: Verdict
    message: str = ""
    n_steps: int = 0
    diverged: bool = False


def compare(program: Program, options: Options) -> Result:
    """Run a program in both simulators and compare what the probes record."""
    expected = run_nengo(program, options)
    if expected.n_finite < options.steps:
        options = replace(options, calls=())  # they would fail, too
    items = run_nengo_dl(program, options)
    drawn = draws_within_operators(program)
    if items[0].error is not None and drawn and (options.minibatch_size or 1) > 1:
        # it may be that of another item, whose numbers Nengo never draws
        items = run_nengo_dl(program, replace(options, minibatch_size=1))
    error = items[0].error
    if not expected.built:
        same = not items[0].built and type(error) is type(expected.error)
        verdict = Verdict.REFUSED if same else Verdict.DIFFERENT
        return Result(verdict, f"Nengo: {expected.error!r}; here: {error!r}")
    if error is not None and expected.error is None:
        return Result(Verdict.DIFFERENT, repr(error))

    verdict, n_steps, message = Verdict.SAME, expected.n_finite, ""
    if drawn:
        items = items[:1]
    for item, ours in enumerate(items):
        if item:
            expected = run_nengo(program, options, item)
        n_steps = min(n_steps, expected.n_finite)
        found = deviation(program, ours, expected)
        if found:
            message = f"item {item}: {found}"
            size = explained(program, options, item, ours, expected)
            if size is None:
                return Result(Verdict.DIFFERENT, message, n_steps)
            verdict, message = Verdict.SENSITIVE, f"{message}; as with errors of {size}"
        elif ours.predicted:
            found = deviation(program, _predicted(ours, expected), expected)
            if found:
                message = f"item {item}, predict: {found}"
                return Result(Verdict.DIFFERENT, message, n_steps)
    return Result(verdict, message, n_steps, n_steps < options.steps)


def _predicted(ours: Record, expected: Record) -> Record:
    """Return what ``predict`` returned, at the steps that Nengo has samples of."""
    data = [
        values[steps - 1]
        for values, steps in zip(ours.predicted, expected.steps, strict=True)
    ]
    return replace(ours, data=data)


def draws_within_operators(program: Program) -> bool:
    """Whether neurons draw random numbers, which do not depend on Nengo's seed."""
    types = (nengo.StochasticSpiking, nengo.PoissonSpiking)
    return any(
        isinstance(ensemble.neuron_type, types)
        for ensemble in program.build().all_ensembles
    )


def deviation(program: Program, ours: Record, expected: Record) -> str:
    """Say where one record first deviates from another; nothing if nowhere."""
    texts = [line for line in program.lines if "nengo.Probe(" in line]
    found = []
    for k, text in enumerate(texts):
        steps = expected.steps[k][expected.steps[k] <= expected.n_finite]
        n = len(steps)
        wanted, values = expected.data[k][:n], ours.data[k][:n]
        if values.shape != wanted.shape:
            found.append((0, f"{text}: shape {values.shape}, not {wanted.shape}"))
            continue
        distance = np.abs(values - wanted)
        # written so that NaN counts
        wrong = np.argwhere(~(distance <= _tolerance(wanted)))
        if len(wrong):
            place = tuple(map(int, wrong[0]))
            found.append(
                (
                    steps[place[0]],
                    f"{text}: {values[place]!r}, not {wanted[place]!r} at step "
                    f"{steps[place[0]]}, element {place[1:]}; {len(wrong)} of "
                    f"{values.size} values differ",
                )
            )
    return min(found)[1] if found else ""


def explained(
    program: Program, options: Options, item: int, ours: Record, expected: Record
) -> float | None:
    """Return which rounding errors let Nengo deviate in the same places, and as far.

    None if none of `ERRORS` do.
    """
    n = len(expected.data)
    limits = [np.zeros(len(values)) for values in expected.data]
    for draws, size in enumerate(ERRORS):
        rough = run_nengo(program, options, item, size, draws)
        for k in range(n):
            limits[k] = np.maximum(limits[k], _spread(rough, expected, k))
        if all(_within(ours, expected, k, limits[k]) for k in range(n)):
            return size
    return None


def _within(ours: Record, expected: Record, k: int, limit: np.ndarray) -> bool:
    """Whether a probe deviates no more than ``limit``, shape (n_samples,), allows."""
    rows = expected.steps[k] <= expected.n_finite
    wanted, values = expected.data[k][rows], ours.data[k][: rows.sum()]
    if wanted.shape != values.shape:
        return False
    allowed = _tolerance(wanted) + FACTOR * _like(limit[rows], wanted)
    return bool(np.all(np.abs(values - wanted) <= allowed))


def _spread(rough: Record, expected: Record, k: int) -> np.ndarray:
    """Return how far a probe has deviated up to each sample, shape (n_samples,)."""
    spread = np.full(len(expected.data[k]), np.inf)
    n = int(np.sum(rough.steps[k] <= rough.n_finite))
    distance = np.abs(rough.data[k][:n] - expected.data[k][:n])
    spread[: len(distance)] = np.maximum.accumulate(_largest(distance))
    return spread


def _tolerance(wanted: np.ndarray) -> np.ndarray:
    largest = np.maximum.accumulate(_largest(np.abs(wanted)))
    return ATOL + RTOL * _like(largest, wanted)


def _largest(values: np.ndarray) -> np.ndarray:
    """Return the largest value of each sample, shape (n_samples,)."""
    return values.reshape(len(values), -1).max(axis=1)


def _like(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give rows the rank of values."""
    return rows.reshape(-1, *[1] * (values.ndim - 1))

"""Whether calls do what they would do in a process of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import NengoException

import nengo_dl
from nengo_dl.program import traces
from tests.call_sequences.sequence import Call
from tests.call_sequences.world import World

#: calls that change parameters alone
TRAINING = {"train", "fit"}


@dataclass(frozen=True)
class Snapshot:
    """What a simulator holds.

    Attributes
    ----------
    n_steps : int
        How many steps are over.
    params, learned, state, samples : list of np.ndarray
        Parameters, parameters that learning rules change, other state, and what the
        Probes have recorded.
    """

    n_steps: int
    params: list[np.ndarray]
    learned: list[np.ndarray]
    state: list[np.ndarray]
    samples: list[np.ndarray]

    @classmethod
    def of(cls, sim: nengo_dl.Simulator) -> Snapshot:
        """Return what a simulator holds now."""
        store = sim._runner.store
        state: dict[bool, list[np.ndarray]] = {True: [], False: []}
        for learned, values in zip(store.learned, store.state, strict=True):
            state[learned].append(values.numpy())
        return cls(
            int(sim.n_steps),
            [variable.numpy() for variable in store.variables],
            state[True],
            state[False],
            [np.array(sim.data[probe]) for probe in sim.model.probes],
        )

    def changes(self, other: Snapshot) -> list[str]:
        """Return the names of the attributes that differ."""
        return [name for name in vars(self) if differ(*_pair(self, other, name))]


@dataclass(frozen=True)
class Record:
    """What came of a call.

    Attributes
    ----------
    values : list of np.ndarray
        What it returned.
    error : str
        What it raised; empty if nothing.
    after : Snapshot or None
        What the simulator held afterwards.
    """

    values: list[np.ndarray]
    error: str
    after: Snapshot | None


def compare(calls: Sequence[Call]) -> str:
    """Say what is wrong with a sequence of calls; nothing if nothing is.

    All simulators together, which share what is compiled, have to do what each of them
    does alone, when everything is compiled anew for each call.
    """
    traces.shared.forget()
    records: list[Record] = []
    for call, record, problem in play(calls, alone=False):
        if problem:
            return f"{call}: {problem}"
        records.append(record)
    for i in {call.simulator for call in calls} - {None}:
        own = [k for k, call in enumerate(calls) if call.simulator in (i, None)]
        replay = play([calls[k] for k in own], alone=True)
        for k, (call, expected, _) in zip(own, replay, strict=True):
            found = records[k]
            if found.error != expected.error:
                return f"{call}: {found.error!r}, alone {expected.error!r}"
            if differ(found.values, expected.values):
                return f"{call}: {found.values}, alone {expected.values}"
            if found.after and expected.after:
                changed = found.after.changes(expected.after)
                if changed:
                    pairs = [_pair(found.after, expected.after, n) for n in changed]
                    return f"{call}: other {changed} than alone, {pairs}"
    return ""


def play(calls: Sequence[Call], alone: bool) -> Iterator[tuple[Call, Record, str]]:
    """Make calls; yield them with what came of each, and what is wrong with that."""
    tf.keras.utils.set_random_seed(0)
    world = World(alone)
    try:
        for call in calls:
            i = call.simulator
            sim = world.simulators.get(i) if call.name != "new" else None
            before = None if sim is None else Snapshot.of(sim)
            values, error, problem = [], "", ""
            try:
                values = flat(getattr(world, call.name)(**dict(call.arguments)))
            except NengoException as raised:
                error = f"{type(raised).__name__}: {raised}"
                error = error.replace(world.folder, "")[:60]
            except Exception as raised:
                error = repr(raised)
                problem = f"raised {error}"
            after = None if i is None else Snapshot.of(world.simulators[i])
            if before and after and not problem:
                problem = broken(call, error, before, after)
            yield call, Record(values, error, after), problem
    finally:
        world.close()


def broken(call: Call, error: str, before: Snapshot, after: Snapshot) -> str:
    """Say which rule a call has broken about what it may change."""
    changed = set(before.changes(after))
    given = dict(call.arguments)
    allowed: set[str] = set()
    if error:
        # updates that came before the error of a Node stay
        if call.name in TRAINING and error.startswith("SimulationError"):
            allowed = {"params", "learned"}
    elif call.name in ("run", "step"):
        steps = given.get("steps", 1) if given.get("stateful", True) else 0
        if steps and after.n_steps not in (before.n_steps + steps, before.n_steps):
            return f"{steps} steps from {before.n_steps} to {after.n_steps}"
        allowed = {"n_steps", "state", "learned", "params", "samples"}
    elif call.name in TRAINING or call.name == "load":
        allowed = {"params", "learned"}
    elif call.name == "reset":
        allowed = {"n_steps", "state", "learned", "params", "samples"}
        if given["probes"] and (after.n_steps or any(map(np.size, after.samples))):
            return f"{after.n_steps} steps after a reset, samples {after.samples}"
    elif call.name == "clear_probes":
        allowed = {"samples"}
    elif call.name in ("evaluate", "predict", "loss", "run_batch"):
        # what rules have learned stays
        allowed = {"learned"}
    if given.get("stateful") or given.get("isolate") is False or given.get("state"):
        allowed |= {"n_steps", "state", "learned"}
    wrong = changed - allowed
    return f"has changed {sorted(wrong)}" if wrong else ""


def flat(values: Any) -> list[np.ndarray]:
    """Return all numbers that a call has returned."""
    if isinstance(values, dict | list | tuple):
        members = values.values() if isinstance(values, dict) else values
        return [array for member in members for array in flat(member)]
    return [] if values is None else [np.asarray(values)]


def differ(one: Any, other: Any) -> bool:
    """Return whether two numbers or lists of arrays are not exactly equal."""
    if not isinstance(one, list):
        return one != other
    return len(one) != len(other) or not all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)
    )


def _pair(one: Snapshot, other: Snapshot, name: str) -> tuple[Any, Any]:
    return getattr(one, name), getattr(other, name)

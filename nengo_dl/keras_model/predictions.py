"""Predictions: what a run records, minibatch by minibatch, beside the simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import nengo
import numpy as np

from nengo_dl.inputs.random_streams import Position
from nengo_dl.program.loop import check_steps
from nengo_dl.simulation.runner import Runner
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.epoch import Start


class Predictions:
    """Run minibatches as the simulation would, without a change to it.

    A run takes any number of steps without being compiled anew, and calls all functions
    of the network. It has Probes, random numbers and Python code of its own; parameters
    are those of the simulation.

    Parameters
    ----------
    runner : Runner
        The simulation.
    make : callable
        ``make(as_rates)`` makes a simulation of the same model, whose Probes keep each
        step, with rates in the place of spikes or without.
    only : int or None
        The number of steps that minibatches have to have, without a loop around them.

    Attributes
    ----------
    start : Start
        Where the next minibatch starts.
    as_rates : bool
        Whether rates stand in for spikes.
    """

    def __init__(
        self, runner: Runner, make: Callable[[bool], Runner], only: int | None
    ) -> None:
        self._simulation, self._make, self._only = runner, make, only
        self.start = Start(runner.store.state)
        self.as_rates = False
        self._made: dict[bool, Runner] = {}
        #: how far random numbers were in the beginning, if they go on
        self._begun: list[list[Position]] = []

    @property
    def _own(self) -> Runner:
        if self.as_rates in self._made:
            return self._made[self.as_rates]
        own = self._made[self.as_rates] = self._make(self.as_rates)
        simulated = self._simulation.store
        if own.store.is_like(simulated):
            own.store.params, own.store.origins = simulated.params, simulated.origins
        return own

    @property
    def shares_streams(self) -> bool:
        """Whether random numbers are those of the simulation."""
        return self.start.goes_on

    @property
    def own_items(self) -> slice:
        """The items of a minibatch that this process computes."""
        return self._own.own_items

    def begin(self, seed: int) -> None:
        """Start where the simulation is.

        Random numbers are those of a seed from their beginning, or go on, as time does.
        """
        own, simulation = self._own, self._simulation
        own.rewind(seed)
        if self.shares_streams:
            own.sources.take_over(simulation.sources)
            self._begun = own.positions()
        store, simulated = own.store, simulation.store
        store.changed()
        if not store.is_like(simulated):
            # rates stand in for spikes: there are other values
            store.restore(simulated.snapshot())
        self.restore()

    def restore(self) -> None:
        """Let the next minibatch start where the simulation is."""
        own, simulation = self._own, self._simulation
        if self.shares_streams and own.positions() != self._begun:
            own.sources.return_to(self._begun)
        self.start.state = self._state_for(simulation.store, own.store)
        self.start.n_steps = simulation.n_steps

    def run(
        self, presented: Mapping[nengo.Node, np.ndarray], n_steps: int
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return what all Probes see of one minibatch.

        Parameters
        ----------
        presented : mapping of Node to np.ndarray, shape (batch, n_steps, size_out)
            What to present; of one step where it is held. There may be `own_items`
            alone.
        n_steps : int
            How many steps.

        Returns
        -------
        dict of {Probe: np.ndarray}, shape (batch, n_steps, *shape)
            In the last step alone if a Probe keeps no history.
        """
        check_steps(n_steps, self._only)
        presented = {
            node: np.broadcast_to(array, (len(array), n_steps, array.shape[2]))
            for node, array in presented.items()
        }
        own, start = self._own, self.start
        own.store.state, own.n_steps = list(start.state), start.n_steps
        own.probes.clear()
        own.run(n_steps, presented, False)
        if start.goes_on:
            start.state, start.n_steps = own.store.state, own.n_steps
        else:
            start.state = own.store.with_learned(start.state, own.store.state)
        return {probe: own.probes.data(probe) for probe in own.probes.probes}

    def end(self) -> None:
        """Let the simulation go on where the last minibatch ended, if that is wanted.

        If not, it has what rules have learned.
        """
        simulated, own = self._simulation, self._own
        before = simulated.store.state
        own.store.state = list(self.start.state)
        if self.start.goes_on:
            simulated.store.state = self._state_for(own.store, simulated.store)
            simulated.go_on_from(own.sources, self.start.n_steps)
        elif simulated.store.learns:
            now = self._state_for(own.store, simulated.store)
            simulated.store.state = simulated.store.with_learned(before, now)

    @staticmethod
    def _state_for(source: StateStore, target: StateStore) -> list:
        """Return the state of one store in the form that another one has."""
        if not target.is_like(source):
            target.restore(source.snapshot())
            return target.state
        return list(source.state)

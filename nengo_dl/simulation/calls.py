"""Arguments of ``run`` and ``run_steps``: lengths of time, and data to present."""

from __future__ import annotations

from typing import Any

import numpy as np

from nengo_dl.config import Settings
from nengo_dl.display.profiling import profiling
from nengo_dl.inputs import checks
from nengo_dl.inputs.endpoints import Endpoints
from nengo_dl.program.loop import check_steps
from nengo_dl.simulation.out_arrays import out_arrays
from nengo_dl.simulation.runner import Runner
from nengo_dl.user_code import warn_user
from nengo_dl.validation import (
    LARGEST,
    flag,
    positive_int,
    positive_number,
    refused,
)


class RunCalls:
    """Run a simulation for as long as users say.

    Parameters
    ----------
    runner : Runner
        The simulation.
    endpoints : Endpoints
        The inputs of the simulator.
    settings : Settings
        What the user configured.
    dt : float
        Length of a time step (s).
    unroll : int
        Steps in one iteration of the loop.
    """

    def __init__(
        self,
        runner: Runner,
        endpoints: Endpoints,
        settings: Settings,
        dt: float,
        unroll: int,
    ) -> None:
        self._runner = runner
        self._endpoints = endpoints
        self._stateful = settings.stateful
        self._unroll = None if settings.use_loop else unroll
        self._dt = dt

    def steps_in(self, time_in_seconds: Any) -> int:
        """Return how many time steps a length of time takes; warn if none.

        Parameters
        ----------
        time_in_seconds : float
            How long (s).

        Raises
        ------
        ValidationError
            If it is negative, infinite, or no number.
        """
        seconds = checks.duration(time_in_seconds, "time_in_seconds")
        n_steps = round(seconds / self._dt)
        if n_steps > LARGEST:
            raise refused(
                time_in_seconds,
                "time_in_seconds",
                f"at most {LARGEST} time steps of {self._dt:g} s",
            )
        if n_steps == 0:
            warn_user(
                f"{seconds:g} s results in running for 0 timesteps of {self._dt:g} s. "
                f"Simulator still at time {self._runner.n_steps * self._dt:g} s.",
                UserWarning,
            )
        return n_steps

    def run_steps(
        self,
        n_steps: Any,
        data: Any,
        progress_bar: Any,
        stateful: bool,
        profile: str | None,
        out: Any = None,
    ) -> None:
        """Run some steps; see `Simulator.run_steps`."""
        n_steps = positive_int(n_steps, "n_steps")
        stateful = flag(stateful, "stateful")
        check_steps(n_steps, self._unroll)
        presented = self._endpoints.presented(data, n_steps)
        own = out_arrays(out, self._endpoints.outputs)
        stateful = stateful and self._stateful
        with profiling(profile):
            self._runner.run(n_steps, presented, progress_bar, stateful, own)

    def step(self) -> None:
        """Run one step with nothing presented or shown; see `Simulator.step`."""
        if not self._stateful or self._unroll is not None:
            self.run_steps(1, None, False, True, None)
            return
        self._runner.single_step()

    def trange(self, sample_every: float | None) -> np.ndarray:
        """Return the times of a probe's samples; see `Simulator.trange`."""
        period: float = 1
        if sample_every is not None:
            expected = "a length of time above 0 (s), or None"
            period = positive_number(sample_every, "sample_every", expected) / self._dt
        steps = np.arange(self._runner.first_step + 1, self._runner.n_steps + 1)
        return self._dt * steps[steps % period < 1]

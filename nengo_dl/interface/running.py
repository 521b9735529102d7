"""Running a simulation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from nengo.utils.progress import ProgressBar

from nengo_dl import compat
from nengo_dl.display.profiling import profiling
from nengo_dl.inputs import checks
from nengo_dl.interface.core import Core
from nengo_dl.program.loop import check_steps


class Running(Core):
    """Run a simulation; see `nengo_dl.Simulator`."""

    def run(
        self,
        time_in_seconds: float,
        data: Any = None,
        *legacy: Any,
        progress_bar: Any = None,
        stateful: bool = True,
        profile: Any = None,
        **older: Any,
    ) -> None:
        """Simulate for a length of time.

        Parameters
        ----------
        time_in_seconds : float
            How long (s); rounded to the nearest time step.
        data, progress_bar, stateful, profile
            See `run_steps`.

        Raises
        ------
        ValidationError
            If the time is negative, infinite, or no number.
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            See `run_steps`.

        Warns
        -----
        UserWarning
            If the time is less than half a time step: nothing is run then.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     probe = nengo.Probe(node)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.run(0.01)
        >>> sim.data[probe].shape
        (10, 1)
        """
        self._check_open("run")
        time_in_seconds = checks.duration(time_in_seconds, "time_in_seconds")
        steps = int(np.round(time_in_seconds / self.dt))
        if steps == 0:
            warnings.warn(
                f"{time_in_seconds:g} s results in running for 0 timesteps of "
                f"{self.dt:g} s. Simulator still at time {self.time:g} s.",
                stacklevel=2,
            )
            return
        self.run_steps(
            steps,
            data,
            *legacy,
            progress_bar=progress_bar,
            stateful=stateful,
            profile=profile,
            **older,
        )

    def step(
        self,
        data: Any = None,
        *legacy: Any,
        progress_bar: Any = False,
        stateful: bool = True,
        **older: Any,
    ) -> None:
        """Simulate one time step, without a progress bar; see `run_steps`.

        Parameters
        ----------
        data, progress_bar, stateful
            As for `run_steps`; ``data`` have one time step.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If the data do not fit; nothing is run then.
        SimulationError
            If a Python function of a Node fails.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     probe = nengo.Probe(node)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.step()
        ...     sim.step({node: [[2.0]]})
        >>> sim.data[probe].ravel()
        array([0.5, 2. ], dtype=float32)
        """
        self.run_steps(
            1, data, *legacy, progress_bar=progress_bar, stateful=stateful, **older
        )

    def run_steps(
        self,
        n_steps: int,
        data: Any = None,
        *legacy: Any,
        progress_bar: Any = None,
        stateful: bool = True,
        profile: Any = None,
        **older: Any,
    ) -> None:
        """Simulate a number of time steps.

        Parameters
        ----------
        n_steps : int
            How many; exactly as many are run, whatever ``unroll_simulation``.
        data : dict of {Node: array}, shape (minibatch_size, n_steps, size_out)
            Values for Nodes without inputs, instead of their own output. Also a list in
            the order of the Nodes, or one array if there is one Node only. The batch
            axis may be left out if ``minibatch_size`` is None.
        progress_bar : bool, optional
            Whether to show progress; by default as the simulator was told.
        stateful : bool, optional
            False returns to the state before the call when it is over. What the probes
            recorded stays; time does not advance. `configure_settings(stateful=False)`
            does so for all calls.
        profile : bool or str, optional
            Write a profile that TensorBoard shows, into this directory.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If the data do not fit; nothing is run then.
        SimulationError
            If a Python function of a Node fails or returns something that is not a
            finite number. The steps before are complete and recorded.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     probe = nengo.Probe(node)
        >>> values = np.arange(6).reshape(2, 3, 1)  # two items, three steps
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     sim.run_steps(3, data={node: values})
        >>> sim.data[probe][1].ravel()
        array([3., 4., 5.], dtype=float32)
        """
        self._check_open("run")
        n_steps = checks.positive_int(n_steps, "n_steps")
        check_steps(n_steps, None if self._settings.use_loop else self.unroll)
        if legacy or older or isinstance(data, bool | ProgressBar):
            data, progress_bar = compat.run_arguments(data, progress_bar, legacy, older)
        presented = checks.presented_data(
            data, self._nodes, n_steps, self.minibatch_size
        )
        if progress_bar is None:
            progress_bar = self.progress_bar
        stateful = stateful and self._settings.stateful
        with profiling(compat.profile_directory(profile)):
            self._runner.run(n_steps, presented, progress_bar, stateful)

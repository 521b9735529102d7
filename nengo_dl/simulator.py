"""The simulator that users see: a facade over the stages beneath it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.exceptions import (
    ReadonlyError,
    SimulatorClosed,
    ValidationError,
)
from nengo.utils.progress import ProgressBar

from nengo_dl import compat, config
from nengo_dl.graph import inputs, trainable
from nengo_dl.graph import model as graph_model
from nengo_dl.graph.opgraph import dependencies
from nengo_dl.program.compile import compile_program
from nengo_dl.runtime import checks
from nengo_dl.runtime.data import SignalMapping, SimulationData
from nengo_dl.runtime.progress import Steps, stage
from nengo_dl.runtime.runner import Runner
from nengo_dl.runtime.streams import MAX_SEED


class Simulator:
    """Simulate a Nengo network with TensorFlow.

    A drop-in replacement for `nengo.Simulator`: same results, several times faster.

    Parameters
    ----------
    network : nengo.Network or None
        The network to build and simulate; None if ``model`` is complete.
    dt : float, optional
        Length of a time step (s).
    seed : int, optional
        Seed of everything random at run time: Processes, shuffling. By default
        ``network.seed + 1`` if that is set, else random.
    model : nengo.builder.Model, optional
        A prebuilt model, or one that ``network`` is built into.
    dtype : {"float32", "float64"} or tf.DType, optional
        Floating point type of the simulation. By default what
        `nengo_dl.configure_settings` says, else float32.
    device : str, optional
        Where to run: ``"/cpu:0"``, ``"/gpu:0"``, ...; None lets TensorFlow choose.
    unroll_simulation : int, optional
        Time steps in one iteration of the compiled loop. Results do not depend on it.
    minibatch_size : int, optional
        Number of inputs that are simulated side by side; the data of probes then have
        a batch axis in front. None: one input, no batch axis.
    tensorboard : str, optional
        Directory for TensorBoard data.
    progress_bar : bool or nengo.utils.progress.ProgressBar, optional
        Whether to show progress, while somebody is watching.

    Attributes
    ----------
    data : nengo_dl.runtime.data.SimulationData
        Samples of probes and live parameters of built objects.
    model : nengo.builder.Model
        The built model.
    seed : int
        The seed in use.
    closed : bool
        Whether the simulator was closed; it cannot be opened again.
    minibatch_size : int or None
        As given.
    unroll : int
        Steps in one iteration of the loop.

    Raises
    ------
    ValidationError
        If an argument is not one that it can be; the message says what it can be.
    BuildError
        If the network cannot be built: its operators form a cycle, for example.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     stimulus = nengo.Node(0.5)
    ...     ensemble = nengo.Ensemble(50, 1)
    ...     _ = nengo.Connection(stimulus, ensemble)
    ...     probe = nengo.Probe(ensemble, synapse=0.01)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run(0.1)
    >>> sim.data[probe].shape
    (100, 1)
    """

    def __init__(
        self,
        network: nengo.Network | None,
        dt: float = 0.001,
        seed: int | None = None,
        model: Model | None = None,
        *legacy: Any,
        dtype: Any = None,
        device: str | None = None,
        unroll_simulation: int = 1,
        minibatch_size: int | None = None,
        tensorboard: str | None = None,
        progress_bar: Any = True,
        **older: Any,
    ) -> None:
        self.closed = True  # until everything below has worked
        current = {
            "dtype": dtype,
            "device": device,
            "unroll_simulation": unroll_simulation,
            "minibatch_size": minibatch_size,
            "tensorboard": tensorboard,
            "progress_bar": progress_bar,
        }
        options = compat.constructor_arguments(legacy, older, current)
        self._configure(**options)
        if seed is not None and not isinstance(seed, int | np.integer):
            raise ValidationError(f"Expected an int or None, got {seed!r}", attr="seed")

        with stage("Building", None, self.progress_bar) as tracker:
            self.model = graph_model.build(network, dt, model, Steps(tracker))
            settings = config.resolve(self.model.toplevel, options["dtype"])
            order = dependencies(self.model.operators).operators
            self._program = compile_program(
                self.model,
                order,
                trainable.resolve(self.model, settings.inference_only),
                settings,
                self.minibatch_size or 1,
                self.unroll,
                self.device,
            )
        self._runner = Runner(
            self._program, self.model, order, self.minibatch_size is not None
        )
        self._nodes = inputs.input_nodes(self.model)
        self.data = SimulationData(self.model, self._runner.store, self._runner.probes)

        if seed is None:
            own = getattr(network, "seed", None)
            seed = np.random.randint(MAX_SEED) if own is None else own + 1
        self.closed = False
        self.reset(seed=seed)

    def _configure(
        self,
        dtype: Any,
        device: Any,
        unroll_simulation: Any,
        minibatch_size: Any,
        tensorboard: Any,
        progress_bar: Any,
    ) -> None:
        """Check the options, and keep them."""
        if dtype is not None:
            config.dtype_name(dtype)
        self.unroll = checks.positive_int(unroll_simulation, "unroll_simulation")
        self.minibatch_size = (
            None
            if minibatch_size is None
            else checks.positive_int(minibatch_size, "minibatch_size")
        )
        self.device = checks.device_name(device)
        self.tensorboard = tensorboard
        self.progress_bar = progress_bar

    # -- running

    def run(
        self,
        time_in_seconds: float,
        data: Any = None,
        *legacy: Any,
        progress_bar: Any = None,
        stateful: bool = True,
        **older: Any,
    ) -> None:
        """Simulate for a length of time.

        Parameters
        ----------
        time_in_seconds : float
            How long (s); rounded to the nearest time step.
        data, progress_bar, stateful
            See `run_steps`.

        Raises
        ------
        ValidationError
            If the time is negative, infinite, or no number.
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
            steps, data, *legacy, progress_bar=progress_bar, stateful=stateful, **older
        )

    def step(
        self,
        data: Any = None,
        *legacy: Any,
        progress_bar: Any = False,
        stateful: bool = True,
        **older: Any,
    ) -> None:
        """Simulate one time step, without a progress bar; see `run_steps`."""
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
            recorded stays; time does not advance.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If the data do not fit; nothing is run then.
        SimulationError
            If a Python function of a Node fails or returns something that is not a
            finite number. The steps before are complete and recorded.
        """
        self._check_open("run")
        n_steps = checks.positive_int(n_steps, "n_steps")
        if legacy or older or isinstance(data, bool | ProgressBar):
            data, progress_bar = compat.run_arguments(data, progress_bar, legacy, older)
        presented = checks.presented_data(
            data, self._nodes, n_steps, self.minibatch_size
        )
        if progress_bar is None:
            progress_bar = self.progress_bar
        self._runner.run(n_steps, presented, progress_bar, stateful)

    # -- resetting and closing

    def reset(
        self,
        seed: int | None = None,
        include_trainable: bool = True,
        include_probes: bool = True,
        include_processes: bool = True,
    ) -> None:
        """Return to the beginning.

        Parameters
        ----------
        seed : int, optional
            A new seed for everything random at run time, now and after later resets.
        include_trainable : bool, optional
            Whether parameters return to their initial values too, including those that
            learning rules have changed.
        include_probes : bool, optional
            Whether recorded samples are forgotten and time returns to 0.
        include_processes : bool, optional
            Whether Processes begin anew.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        """
        self._check_open("reset")
        if seed is not None:
            self.seed = int(seed)
        self._runner.reset(
            self.seed, include_trainable, include_probes, include_processes
        )

    def soft_reset(
        self, include_trainable: bool = False, include_probes: bool = False
    ) -> None:
        """Return the state of the simulation to its beginning; `reset` does the same.

        Parameters
        ----------
        include_trainable : bool, optional
            Whether parameters return to their initial values too.
        include_probes : bool, optional
            Whether recorded samples are forgotten and time returns to 0.
        """
        warnings.warn(
            "`soft_reset` is an older form; the current one is `reset("
            f"include_trainable={include_trainable}, include_probes={include_probes}, "
            "include_processes=False)`",
            DeprecationWarning,
            stacklevel=2,
        )
        self.reset(
            include_trainable=include_trainable,
            include_probes=include_probes,
            include_processes=False,
        )

    def clear_probes(self) -> None:
        """Forget all recorded samples."""
        self._runner.probes.clear()

    def close(self) -> None:
        """Free the simulator's resources; recorded samples stay readable."""
        if not self.closed:
            self.closed = True
            self.data.close()
            self._n_steps = self._runner.n_steps
            del self._program, self._runner

    def _check_open(self, what: str) -> None:
        if self.closed:
            raise SimulatorClosed(
                f"Cannot {what}: the simulator is closed. Make a new Simulator, or run "
                "within its `with` block"
            )

    def __enter__(self) -> Simulator:
        self._check_open("enter")
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "closed", True):
            warnings.warn(
                f"Simulator with model={self.model} was deallocated while open. Close "
                "simulators with `sim.close()` or use them in a `with` block.",
                ResourceWarning,
                stacklevel=2,
            )

    # -- what can be asked

    @property
    def signals(self) -> Mapping[Signal, np.ndarray] | None:
        """Current values by Signal, read-only; None once the simulator is closed.

        Signals that are written anew in each step are not kept, and show their initial
        values. There is a batch axis in front if ``minibatch_size`` was given, except
        for parameters.
        """
        if self.closed:
            return None
        return SignalMapping(
            self.model, self._runner.store, self.minibatch_size is not None
        )

    @property
    def dt(self) -> float:
        """Length of a time step (s); read-only."""
        return float(self.model.dt)

    @dt.setter
    def dt(self, _: Any) -> None:
        raise ReadonlyError(attr="dt", obj=self)

    @property
    def n_steps(self) -> int:
        """Number of time steps simulated so far."""
        return self._n_steps if self.closed else self._runner.n_steps

    @property
    def time(self) -> float:
        """Simulated time so far (s)."""
        return self.n_steps * self.dt

    def trange(
        self, sample_every: float | None = None, dt: float | None = None
    ) -> np.ndarray:
        """Return the times of a probe's samples.

        Parameters
        ----------
        sample_every : float, optional
            The probe's own ``sample_every`` (s); None for every time step.
        dt : float, optional
            Older name of ``sample_every``.

        Returns
        -------
        np.ndarray, shape (n_samples,)
            Times (s), the first being ``dt`` or the first sample's.
        """
        if dt is not None:
            if sample_every is not None:
                raise ValidationError(
                    "`dt` is an older name of `sample_every`; give `sample_every` only",
                    attr="dt",
                    obj=self,
                )
            warnings.warn(
                "`trange(dt=...)` is an older form; the current one is "
                "`trange(sample_every=...)`",
                DeprecationWarning,
                stacklevel=2,
            )
            sample_every = dt
        period = 1 if sample_every is None else sample_every / self.dt
        steps = np.arange(1, self.n_steps + 1)
        return self.dt * steps[steps % period < 1]

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"t={self.time:g} s"
        batch = "" if self.minibatch_size is None else f", batch {self.minibatch_size}"
        return f"<nengo_dl.Simulator of {self.model.label!r}, {state}{batch}>"

"""What every simulator is: a built model with a life from opening to closing."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.exceptions import (
    ReadonlyError,
    SimulatorClosed,
    ValidationError,
)

from nengo_dl import compat, config
from nengo_dl.display.progress import Steps, stage
from nengo_dl.graph import inputs, trainable
from nengo_dl.graph import model as graph_model
from nengo_dl.graph.garbage import no_garbage_collection
from nengo_dl.graph.opgraph import nengo_order
from nengo_dl.graph.tensor_operator import tensor_nodes
from nengo_dl.inputs import checks
from nengo_dl.inputs.random_streams import MAX_SEED
from nengo_dl.lowering.tensor_nodes.binding import bind, post_build
from nengo_dl.program.built import Built
from nengo_dl.program.compile import compile_program
from nengo_dl.simulation.runner import Runner
from nengo_dl.simulation.sim_data import SignalMapping, SimulationData
from nengo_dl.user_code import warn_user

if TYPE_CHECKING:
    from nengo_dl.training.summaries import Board

T = TypeVar("T", bound="Core")


class Core:
    """Open, close, reset and copy a simulator; see `nengo_dl.Simulator`."""

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
        optimize: bool = True,
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
            "optimize": optimize,
        }
        options = compat.constructor_arguments(legacy, older, current)
        if options["dtype"] is not None:
            options["dtype"] = config.dtype_name(options["dtype"])
        self._configure(**options)
        self._options = options
        if seed is not None and not isinstance(seed, int | np.integer):
            raise ValidationError(f"Expected an int or None, got {seed!r}", attr="seed")

        #: how long each stage took (s), by name
        self._times: dict[str, float] = {}
        with stage("Building", None, self.progress_bar) as tracker:
            start = time.perf_counter()
            self.model = graph_model.build(network, dt, model, Steps(tracker))
            built = time.perf_counter()
            settings = config.resolve(self.model.toplevel, options["dtype"])
            batch, jit = self.minibatch_size or 1, settings.jit_compile is not False
            for warning in bind(self.model, settings.dtype, batch, jit):
                warn_user(warning)
            self._settings = settings
            with no_garbage_collection():
                self._order = nengo_order(self.model.operators)
                self._trainable = trainable.resolve(self.model, settings.inference_only)
                self._built = Built(
                    self.model,
                    self._order,
                    self._trainable,
                    settings,
                    batch,
                    self.unroll,
                    self.device,
                )
                self._program = compile_program(self._built)
            self._times["nengo build"] = built - start
            self._times["plan"] = time.perf_counter() - built
        self._runner = Runner(
            self._program,
            self.model,
            self._order,
            self.minibatch_size is not None,
            self._times,
        )
        self._nodes = inputs.input_nodes(self.model)
        self.data = SimulationData(
            self.model,
            self._runner.store,
            self._runner.probes,
            self.minibatch_size is not None,
            self._trainable,
        )
        self._n_groups = len(self._program.plan)

        self._board = self._open_board()

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
        optimize: bool,
    ) -> None:
        """Check the options, and keep them."""
        self.unroll = checks.positive_int(unroll_simulation, "unroll_simulation")
        self.minibatch_size = (
            None
            if minibatch_size is None
            else checks.positive_int(minibatch_size, "minibatch_size")
        )
        self.device = checks.device_name(device)
        self.tensorboard = tensorboard
        self.progress_bar = progress_bar
        self.optimize = optimize

    def _open_board(self) -> Board | None:
        """Begin to write for TensorBoard, with the graph of a time step."""
        if self.tensorboard is None:
            return None
        from nengo_dl.program.step_graph import step_graph
        from nengo_dl.training.summaries import Board

        board = Board(self.tensorboard)
        board.write_graph(step_graph(self._program))
        return board

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

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     probe = nengo.Probe(node)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.run_steps(5)
        ...     sim.reset()
        ...     print(sim.n_steps, sim.data[probe].size)
        0 0
        """
        self._check_open("reset")
        if seed is not None:
            self.seed = int(seed)
        self._runner.reset(
            self.seed, include_trainable, include_probes, include_processes
        )
        if include_trainable:
            self._post_build()

    def _post_build(self) -> None:
        """Let functions of TensorNodes that want to give their variables values."""
        rng = np.random.RandomState(self.seed % 2**32)
        for op in tensor_nodes(self.model.operators):
            for signal, value in post_build(op, rng).items():
                if self._runner.store.has(signal):
                    self._runner.store.set_value(signal, value)

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

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.

        Examples
        --------
        >>> sim.soft_reset()  # doctest: +SKIP
        >>> sim.reset(  # doctest: +SKIP
        ...     include_trainable=False, include_probes=False, include_processes=False
        ... )
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
        """Forget all recorded samples.

        Time goes on where it is.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     probe = nengo.Probe(node)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.run_steps(5)
        ...     sim.clear_probes()
        ...     sim.run_steps(3)
        ...     print(sim.n_steps, sim.data[probe].shape)
        8 (3, 1)
        """
        self._check_open("clear probes")
        self._runner.probes.clear()

    def close(self) -> None:
        """Free the simulator's resources; recorded samples stay readable.

        The end of a ``with`` block closes its simulator. A second call does nothing.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     probe = nengo.Probe(node)
        >>> sim = nengo_dl.Simulator(net, progress_bar=False)
        >>> sim.run_steps(5)
        >>> sim.close()
        >>> sim.data[probe].shape
        (5, 1)
        """
        if not self.closed:
            self.closed = True
            self.data.close()
            self._n_steps = self._runner.n_steps
            self._begin = self._runner.first_step
            del self._program, self._runner

    def _check_open(self, what: str) -> None:
        if self.closed:
            raise SimulatorClosed(
                f"Cannot {what}: the simulator is closed. Make a new Simulator, or run "
                "within its `with` block"
            )

    def __enter__(self: T) -> T:
        self._check_open("enter")
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        # when the interpreter ends, modules may be gone before simulators are
        if warnings is not None and not getattr(self, "closed", True):
            warnings.warn(
                f"Simulator with model={self.model} was deallocated while open. Close "
                "simulators with `sim.close()` or use them in a `with` block.",
                ResourceWarning,
                stacklevel=2,
            )

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: the model, and all that has changed in it."""
        return {
            "model": self.model,
            "seed": self.seed,
            "options": {**self._options, "progress_bar": self.progress_bar},
            "samples": self.data.samples(),
            "n_steps": self.n_steps,
            "first_step": self._first_step,
            "runner": None if self.closed else self._runner.snapshot(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Compile the model anew, and go on where the pickled simulator was."""
        model = state["model"]
        Core.__init__(self, None, model.dt, state["seed"], model, **state["options"])
        self._runner.probes.restore(state["samples"])
        if state["runner"] is None:
            self._runner.n_steps = state["n_steps"]
            self._runner.first_step = state["first_step"]
            self.close()
        else:
            self._runner.restore(state["runner"])

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
    def _first_step(self) -> int:
        """Number of the step before the first that probes may have samples of."""
        return self._begin if self.closed else self._runner.first_step

    @property
    def time(self) -> float:
        """Simulated time so far (s)."""
        return self.n_steps * self.dt

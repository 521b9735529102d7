"""The simulator that users see: its methods document and forward their calls."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from os import PathLike
from typing import Any, TypeVar

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.exceptions import ReadonlyError, SimulationError, SimulatorClosed

from nengo_dl import compat
from nengo_dl.activity.counts import Activity
from nengo_dl.activity.measure import measure
from nengo_dl.display.overview import overview
from nengo_dl.display.progress import keras_verbosity, shown_by
from nengo_dl.display.report import Report, report
from nengo_dl.distribution.scope import (
    KeptStrategy,
    methods_outside_scopes,
    outside_scopes,
    replicas_of,
)
from nengo_dl.distribution.workers import Workers
from nengo_dl.export.calls import ExportCalls
from nengo_dl.graph.python_calls import step_in_progress
from nengo_dl.inputs.checks import check_eager
from nengo_dl.keras_model.calls import KerasCalls, keras_calls
from nengo_dl.keras_model.model import SimulatorModel
from nengo_dl.parameters.calls import ParameterCalls
from nengo_dl.parameters.signal_names import parameters
from nengo_dl.program.program import Program
from nengo_dl.program.tensor_float import multiply_in_float32
from nengo_dl.simulation.building import build
from nengo_dl.simulation.calls import RunCalls
from nengo_dl.simulation.options import checked
from nengo_dl.simulation.runner import Runner
from nengo_dl.simulation.sim_data import SignalMapping, SimulationData
from nengo_dl.training.calls import TrainingCalls
from nengo_dl.training.simulator_function import SimulatorFunction
from nengo_dl.training.summaries import open_board
from nengo_dl.training.terms import NOT_GIVEN
from nengo_dl.training.trainer import Trainer
from nengo_dl.validation import flags, positive_int, seed_number

T = TypeVar("T", bound="Simulator")


@methods_outside_scopes
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
        Seed of random numbers at run time: Processes, shuffling, and the initial
        weights of Keras layers that have none yet, unless their initializers have
        seeds. By default ``network.seed + 1`` if that is set, else random.
    model : nengo.builder.Model, optional
        A prebuilt model, or one that ``network`` is built into.
    dtype : {"bfloat16", "float16", "float32", "float64"} or tf.DType, optional
        Floating point type of the simulation. By default the ``dtype`` of
        `nengo_dl.configure_settings`, or float32.
    device : str, optional
        Where to run: ``"/cpu:0"``, ``"/gpu:0"``, ...; None lets TensorFlow choose.
        If the machine has no such device, a warning is shown and the CPU is used.
    unroll_simulation : int, optional
        Time steps in one iteration of the loop. Results do not depend on it, and any
        number of steps can be run. With XLA, an iteration is always one step: more
        would make compilation longer and steps slower. With
        ``configure_settings(use_loop=False)`` it is the number of steps of each call.
    minibatch_size : int, optional
        Number of items that are simulated at once; the data of Probes then begin with a
        batch axis. None: one item, no batch axis.
    tensorboard : str, optional
        Directory for TensorBoard's files: the graph of a time step, and the summaries
        of `train`, in ``run_0`` or the next free number.
    progress_bar : bool or nengo.utils.progress.ProgressBar, optional
        Whether to show progress in a terminal or notebook.
    optimize : bool, optional
        For compatibility with `nengo.Simulator`; has no effect, operators are always
        merged.
    strategy : tf.distribute.Strategy, optional
        Devices or machines that divide each minibatch between them; by default the one
        in whose ``with strategy.scope():`` the simulator is made, if any.
        ``minibatch_size`` is the sum over all of them.

    Attributes
    ----------
    data : nengo_dl.simulation.sim_data.SimulationData
        Samples of Probes and current parameters of objects.
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
        If an argument has a wrong type or value; the message says what is expected.
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
        optimize: bool = True,
        strategy: tf.distribute.Strategy | None = None,
        **older: Any,
    ) -> None:
        self.closed = True  # until everything below has worked
        check_eager("Cannot make a Simulator")
        arguments = compat.constructor_arguments(
            legacy,
            older,
            {
                "dtype": dtype,
                "device": device,
                "unroll_simulation": unroll_simulation,
                "minibatch_size": minibatch_size,
                "tensorboard": tensorboard,
                "progress_bar": progress_bar,
                "optimize": optimize,
                "strategy": strategy,
            },
        )
        strategy = arguments.pop("strategy")
        options = checked(arguments)
        if seed is not None:
            seed = seed_number(seed)
        self._options = options
        self.unroll = options.unroll_simulation
        self.minibatch_size = options.minibatch_size
        self.device = options.device
        self.tensorboard = options.tensorboard
        self.progress_bar = options.progress_bar
        self.optimize = options.optimize
        self._replicas = replicas_of(strategy, options.minibatch_size, options.device)
        multiply_in_float32()
        with outside_scopes():
            self._workers = Workers(self._replicas)
            building = build(network, dt, model, options, self._workers, seed)
            built = self._built = building.built
            model = self.model = built.model
            program = self._program = building.program
            self._endpoints, self._times = building.endpoints, building.times

            minibatched = self.minibatch_size is not None
            runner = self._runner = Runner(
                program, model, built.order, minibatched, self._times
            )
            self._running = RunCalls(
                runner, self._endpoints, built.settings, self.dt, self.unroll
            )
            self.data = SimulationData(
                model, runner.store, runner.probes, minibatched, built.trainable
            )
            self._board = open_board(self.tensorboard, program)
            self._overview = overview(
                model, program, built.trainable, self.minibatch_size
            )

            self._workers.check_same(v.numpy() for v in runner.store.variables)
            self.closed = False
            self.reset(seed=building.seed)

    # -- components that are made when they are first needed; `close` lets them go

    @cached_property
    def _trainer(self) -> Trainer:
        trainer = Trainer(self._built, self._program, self._runner.store)
        trainer.reset(self.seed)
        return trainer

    @cached_property
    def _training(self) -> TrainingCalls:
        return TrainingCalls(
            self.model,
            self._endpoints,
            self._built.settings,
            self._trainer,
            self._runner,
            self._program,
            self._board,
        )

    @cached_property
    def _keras_calls(self) -> KerasCalls:
        return keras_calls(
            self._endpoints,
            self._built,
            self._trainer,
            self._runner,
            self._program,
            {signal: name for name, signal in parameters(self.model).items()},
        )

    @cached_property
    def _parameters(self) -> ParameterCalls:
        return ParameterCalls(
            self.model,
            self._program,
            self._runner,
            self._built.trainable,
            self._workers,
        )

    @cached_property
    def _exports(self) -> ExportCalls:
        return ExportCalls(
            self._built, self._program, self._endpoints, self._runner.store
        )

    # -- what calls have in common

    def _check_open(self, what: str) -> None:
        if self.closed:
            raise SimulatorClosed(
                f"Cannot {what}: the simulator is closed. Make a new Simulator, or run "
                "within its `with` block"
            )

    def _check_ready(self, what: str) -> None:
        """Refuse what needs the whole simulation, here and now."""
        self._check_open(what)
        check_eager(f"Cannot {what}")
        if step_in_progress(self.model.operators) is not None:
            raise SimulationError(
                f"Cannot {what}: the simulator is in the middle of a time step, in "
                "which it calls this code. Call it after the run, or simulate another "
                "Simulator here"
            )

    def _shown(self, progress_bar: Any) -> Any:
        """Return whether a call shows progress: as it says, else as the simulator."""
        return self.progress_bar if progress_bar is None else shown_by(progress_bar)

    @property
    def _keras(self) -> KerasCalls:
        """Keras' view of the simulator, which draws random numbers from its seed."""
        self._keras_calls.model.seed = self.seed
        return self._keras_calls

    def _printing(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options that tell Keras how much to print."""
        return {"verbose": keras_verbosity(self.progress_bar), **options}

    # -- running

    def run(
        self,
        time_in_seconds: float,
        data: Any = None,
        *legacy: Any,
        progress_bar: Any = None,
        stateful: bool = True,
        profile: Any = None,
        out: Any = None,
        **older: Any,
    ) -> None:
        """Run the simulation for some seconds of simulated time.

        Parameters
        ----------
        time_in_seconds : float
            How long (s); rounded to the nearest time step.
        data, progress_bar, stateful, profile, out
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
        self._check_ready("run")
        n_steps = self._running.steps_in(time_in_seconds)
        if n_steps:
            self.run_steps(
                n_steps,
                data,
                *legacy,
                progress_bar=progress_bar,
                stateful=stateful,
                profile=profile,
                out=out,
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
        quiet = progress_bar is False and not legacy and not older
        if quiet and data is None and stateful is True:
            self._check_ready("run")
            self._running.step()
            return
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
        out: Any = None,
        **older: Any,
    ) -> None:
        """Run the simulation for a number of time steps.

        Parameters
        ----------
        n_steps : int
            How many; exactly as many are run, whatever ``unroll_simulation``.
        data : dict of {Node: array}, shape (minibatch_size, n_steps, size_out)
            Values for Nodes without inputs, instead of their own output. Also a list in
            the order of the Nodes, or one array if there is one Node only. The batch
            axis may be left out if ``minibatch_size`` is None.
        progress_bar : bool, optional
            Whether to show progress; by default as for the simulator.
        stateful : bool, optional
            False: after the call, state, time and random numbers to come are those from
            before it. Samples of Probes and changes by learning rules are kept.
            `configure_settings(stateful=False)` does so for all calls.
        profile : bool or str, optional
            Write a profile that TensorBoard shows into this directory, and one for
            ``chrome://tracing`` into a file of the same name that ends in ``.json``.
            True: ``"nengo_dl_profile"``.
        out : dict of {Probe or str: array}, shape (minibatch_size, n_samples, size)
            Arrays to write the samples of some Probes to during the run, instead of
            adding them to ``sim.data``: types as for `predict`, axes as in
            ``sim.data``. For simulations whose samples do not fit into memory.

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
        self._check_ready("run")
        data, progress_bar = compat.run_arguments(data, progress_bar, legacy, older)
        self._running.run_steps(
            n_steps,
            data,
            self._shown(progress_bar),
            stateful,
            compat.profile_directory(profile),
            out,
        )

    def clear_probes(self) -> None:
        """Delete all samples that Probes have recorded.

        The simulated time does not change.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If it is called from a Node's function, in the middle of a time step, or
            within a `tf.function`.

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
        self._check_ready("clear probes")
        self._runner.probes.clear()

    # -- what can be asked

    @property
    def dt(self) -> float:
        """Length of a time step (s); read-only."""
        return float(self.model.dt)

    @dt.setter
    def dt(self, _: Any) -> None:
        raise ReadonlyError(attr="dt", obj=self)

    @property
    def n_steps(self) -> int:
        """Number of time steps that are complete, also while Nodes' functions run."""
        current = step_in_progress(self.model.operators)
        return self._runner.n_steps if current is None else current - 1

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

        Raises
        ------
        ValidationError
            If both ``sample_every`` and ``dt`` are given.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     probe = nengo.Probe(node)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.run_steps(4)
        >>> sim.trange()
        array([0.001, 0.002, 0.003, 0.004])
        >>> sim.trange(sample_every=0.002)
        array([0.002, 0.004])
        """
        return self._running.trange(compat.sample_period(sample_every, dt))

    @property
    def signals(self) -> Mapping[Signal, np.ndarray] | None:
        """Current values by Signal, read-only; None once the simulator is closed.

        Signals that are overwritten in each step show their initial values. If
        ``minibatch_size`` was given, values begin with a batch axis, except for
        parameters.
        """
        if self.closed:
            return None
        return SignalMapping(
            self.model, self._runner.store, self.minibatch_size is not None
        )

    @property
    def times(self) -> Mapping[str, float]:
        """How long each stage has taken so far (s).

        ``"nengo build"``: Nengo's builder. ``"plan"``: simplifying and merging its
        operators. ``"trace"`` and ``"compile"``: TensorFlow's graph and XLA's code,
        before the first step; 0 if an equal model was compiled before. The import of
        TensorFlow, 3 to 8 s once in a process, is not counted.
        """
        return dict(self._times)

    def report(self, n_steps: int | None = None) -> Report:
        """Describe how the model runs, how long each stage took, and what slows it.

        Parameters
        ----------
        n_steps : int, optional
            Also report the memory of training over so many time steps, if all Probes
            have targets; see ``configure_settings(rematerialisation=...)``.

        Returns
        -------
        Report
            Prints as a table: the groups of operators of one time step and where each
            runs, the times (s), and remarks on what keeps the model from being faster.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If ``n_steps`` is no positive whole number.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node(lambda t, x: x + 1, size_in=1, label="outside")
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     report = sim.report()
        >>> [group.where for group in report.groups]
        ['XLA', 'Python']
        >>> print(report.remarks[0])  # doctest: +ELLIPSIS
        Python runs in each time step: SimPyFunc ...
        """
        self._check_open("report")
        storage = None
        if n_steps is not None:
            storage = self._training.storage(positive_int(n_steps, "n_steps"))
        return report(
            self._program,
            self.times,
            self._built.settings.dtype,
            self._built.settings.jit_compile is not False,
            storage,
        )

    def activity(self, data: Any = None, n_steps: int | None = None) -> Activity:
        """Count spikes and operations of the network for given data.

        Each item begins in the initial state, with the current parameters; state, time
        and samples of the simulator do not change. The network is compiled again for
        this.

        Parameters
        ----------
        data : dict of {Node: array}, or array, shape (n_items, n_steps, size), optional
            As for `train`. Data of one step are presented for all of ``n_steps``.
            Without, Nodes have their own output.
        n_steps : int, optional
            How long an item is presented; by default as long as the data are.

        Returns
        -------
        nengo_dl.activity.Activity
            Firing rates, silent and saturated neurons, spikes and synaptic operations
            of each Ensemble, per item. It prints as a table;
            `nengo_dl.activity.energy` estimates energy from it.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If the data do not fit, or it is not known how many steps to run.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0.5])
        ...     ensemble = nengo.Ensemble(20, 1, label="ensemble")
        ...     _ = nengo.Connection(node, ensemble, synapse=None)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     activity = sim.activity(n_steps=200)
        >>> bool(activity.spikes == activity["ensemble"].counts.sum() > 20)
        True
        """
        self._check_ready("measure activity")
        return measure(
            self.model, self.data, self._endpoints, self._with_model, data, n_steps
        )

    def _with_model(self, model: Model, minibatch_size: int) -> Simulator:
        """Return a simulator with the present parameters, for a model that has them."""
        other = Simulator(
            None,
            model.dt,
            self.seed,
            model,
            dtype=self._built.settings.dtype,
            device=self.device,
            unroll_simulation=self.unroll,
            minibatch_size=minibatch_size,
            progress_bar=False,
        )
        other._runner.store.restore(self._runner.store.parameters(parameters(model)))
        return other

    def function(
        self, probes: Any = None, training: bool = False, as_rates: bool = False
    ) -> SimulatorFunction:
        """Return the network as a pure, differentiable TensorFlow function.

        Use it for your own training loops, to export or distribute a model, and for
        gradients with respect to inputs. It returns outputs only: add regularizers and
        apply constraints of Keras layers in TensorNodes yourself.

        Parameters
        ----------
        probes : nengo.Probe, str or sequence of these, optional
            Probes whose outputs it returns; by default all.
        training : bool, optional
            Whether the network runs as in training: with firing rates instead of
            spikes, or with surrogate gradients.
        as_rates : bool, optional
            Whether firing rates replace spikes; all else is as in simulations.

        Returns
        -------
        SimulatorFunction
            ``outputs, state = f(params, state, inputs, n_steps)``. Parameters are
            ``f.params``; ``f.assign(params)`` sets those of the simulator.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If a Probe is not one of the network's.

        Examples
        --------
        >>> import nengo, nengo_dl, tensorflow as tf
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node, synapse=None)
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     f = sim.function(probe)
        ...     x = tf.ones((2, 3, 1))  # items, time steps, dimensions
        ...     outputs, state = f(f.params, f.initial_state, {node: x})
        >>> outputs[probe].shape
        TensorShape([2, 3, 1])
        """
        self._check_open("make a function")
        if not tf.inside_function():
            check_eager("Cannot make a function")
        return self._training.function(probes, training, as_rates)

    def get_name(self, obj: nengo.Node | nengo.Probe) -> str:
        """Return the name that an input Node or a Probe has for Keras.

        Parameters
        ----------
        obj : nengo.Node or nengo.Probe
            One of the network's.

        Returns
        -------
        str
            Its label, with ``_`` for characters that a name cannot have, or ``node`` or
            ``probe``; a number is added where several would have the same.

        Raises
        ------
        ValidationError
            If it is neither an input Node nor a Probe of the network.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node, label="output")
        >>> x = np.ones((6, 10, 1))  # items, time steps, dimensions
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     print(sim.get_name(node), sim.get_name(probe))
        node output
        """
        return self._endpoints.name(obj)

    # -- training as `train` does it

    @compat.older_forms(
        lambda self, positional, named: compat.train_arguments(
            positional, named, self._endpoints
        )
    )
    def train(
        self,
        data: Any,
        optimizer: Any,
        n_epochs: int = 1,
        objective: Any = NOT_GIVEN,
        shuffle: bool = True,
        truncation: int | None = None,
        summaries: Sequence[Any] | None = None,
        profile: str | None = None,
        progress_bar: Any = None,
        steps_per_epoch: int | None = None,
    ) -> np.ndarray:
        """Optimise the trainable parameters of the network.

        Each item of the data is simulated separately from the initial state; the state,
        time and samples of the simulator do not change. Firing rates replace spikes,
        unless `configure_settings(surrogate=...)` was called.
        `configure_settings(trainable=...)` decides which parameters are trained.
        Regularizers of Keras layers in TensorNodes are added to the loss, and their
        constraints are applied after each update.

        Parameters
        ----------
        data : dict of {Node or Probe: array}, shape (n_items, n_steps, size)
            Values of Nodes without inputs, and targets of Probes. Other Nodes have
            their own output. A number instead of a dict: that many steps, and no data.
            In an older form, ``inputs`` and ``targets`` are two arguments. Also a
            `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator of minibatches,
            each a dict of arrays of shape (minibatch_size, n_steps, size) by name, or
            ``(inputs, targets)`` as for `fit`.
        optimizer : keras.optimizers.Optimizer, str or tf.compat.v1.train.Optimizer
            The optimizer. It keeps its state, such as momentum, from one call to the
            next.
        n_epochs : int, optional
            Number of times that each item is presented.
        objective : callable, str, keras.losses.Loss or dict, optional
            The function to minimise for each Probe that has targets: ``f(outputs,
            targets)`` or ``f(outputs)`` of tensors of shape (minibatch_size, n_steps,
            size), which returns a scalar (of an array, the sum is minimised); or a loss
            of Keras, or its name. ``{probe: f}`` gives each Probe its own; ``{(probe,
            probe): f}`` calls f with lists of outputs and of targets. The sum of all is
            minimised. ``{probe: None}``: the targets are the derivatives of the loss by
            the outputs. By default the mean squared error.
        shuffle : bool, optional
            Whether to shuffle the items in each epoch. Of a PyDataset, minibatches are
            shuffled; shuffle other datasets with `tf.data`.
        truncation : int, optional
            Backpropagate through so many time steps only, and update the parameters
            after each such part of an item. Needs less memory.
        summaries : list, optional
            Values to write for TensorBoard, if the simulator has a ``tensorboard``
            directory: ``"loss"``, and parameters of Connections, Ensembles and Neurons.
        profile : bool or str, optional
            Write a profile that TensorBoard shows into this directory, and one for
            ``chrome://tracing`` into a file of the same name that ends in ``.json``.
            True: ``"nengo_dl_profile"``.
        progress_bar : bool, optional
            Whether to show progress; by default as for the simulator.
        steps_per_epoch : int, optional
            Number of minibatches of a dataset or generator in an epoch; by default all.
            The next epoch goes on with the following ones.

        Returns
        -------
        np.ndarray, shape (n_epochs,)
            The mean loss of each epoch.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an argument does not fit, or if there is nothing to train.

        Warns
        -----
        NengoWarning
            If no gradient passes through some part of the network, which is named; if
            an objective returns an array; if targets are NaN and the loss does not skip
            them.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     ensemble = nengo.Ensemble(20, 1, neuron_type=nengo.RectifiedLinear())
        ...     _ = nengo.Connection(node, ensemble, synapse=None)
        ...     probe = nengo.Probe(ensemble)
        >>> x = np.linspace(-1, 1, 50).reshape(50, 1, 1)
        >>> with nengo_dl.Simulator(net, minibatch_size=10, progress_bar=False) as sim:
        ...     losses = sim.train({node: x, probe: x**2}, "adam", n_epochs=20)
        >>> bool(losses[-1] < losses[0])
        True
        """
        self._check_ready("train")
        return self._training.train(
            data,
            optimizer,
            n_epochs,
            objective,
            shuffle,
            truncation,
            summaries,
            profile,
            self._shown(progress_bar),
            steps_per_epoch,
        )

    @compat.older_forms(
        lambda self, positional, named: compat.loss_arguments(
            positional, named, self._endpoints
        )
    )
    def loss(
        self,
        data: Any,
        objective: Any = NOT_GIVEN,
        combine: Callable[[list], Any] = np.mean,
        progress_bar: Any = None,
        training: bool = False,
        as_rates: bool = False,
        steps: int | None = None,
    ) -> Any:
        """Return the value of an objective for data, with spikes or with rates.

        By default spiking neurons spike, also if the network is trained with firing
        rates. For items of a single time step such a loss is hardly useful, and a
        warning is shown. Regularizers of Keras layers in TensorNodes are added.

        Parameters
        ----------
        data : dict of {Node or Probe: array}, shape (n_items, n_steps, size)
            As for `train`.
        objective : callable, str, keras.losses.Loss or dict, optional
            As for `train`; if a function returns an array, its mean is used.
        combine : callable, optional
            Combines the list of the losses of all minibatches into one value; by
            default their mean.
        progress_bar : bool, optional
            Whether to show progress; by default as for the simulator.
        training : bool, optional
            Run the network as in training: firing rates instead of spikes, unless
            ``surrogate`` is set, and TensorFlow code with ``training=True``, such as
            dropout.
        as_rates : bool, optional
            Run it with firing rates instead of spikes, and all else as in simulations.
        steps : int, optional
            Number of minibatches to take from a dataset or generator; by default all.

        Returns
        -------
        float
            The sum of the combined values of all objectives.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an argument does not fit.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node, label="output")
        >>> x = np.ones((6, 10, 1))  # items, time steps, dimensions
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     error = sim.loss({node: x, probe: 3 * x})
        >>> float(error)  # of 1 where 3 is wanted
        4.0
        """
        self._check_ready("measure a loss")
        shown = self._shown(progress_bar)
        return self._training.loss(
            data, objective, combine, shown, training, as_rates, steps
        )

    @compat.older_forms(
        lambda self, positional, named: compat.gradient_arguments(positional, named)
    )
    def check_gradients(
        self,
        outputs: nengo.Probe | Sequence[nengo.Probe] | None = None,
        atol: float = 1e-5,
        rtol: float = 1e-3,
        inputs: Any = None,
        n_steps: int | None = None,
    ) -> dict[nengo.Probe, dict[str, np.ndarray]]:
        """Check gradients against finite differences of the outputs.

        Parameters
        ----------
        outputs : Probe or sequence of Probe, optional
            Probes whose gradients are checked; by default all.
        atol, rtol : float, optional
            Largest difference allowed: ``atol`` plus ``rtol`` times the sum of the
            absolute values of the terms of the derivative.
        inputs : dict of {Node: array}, shape (minibatch_size, n_steps, size_out)
            Values of Nodes; by default random numbers between -1 and 1.
        n_steps : int, optional
            Number of time steps; by default those of the inputs, or two times
            ``unroll_simulation``.

        Returns
        -------
        dict of {Probe: {"analytic": array, "numeric": array, "names": array}}
            For each parameter that is trained, and for each input, the derivative of a
            random projection of the Probe's output, along one random direction.
            Differences are taken in double precision. Shape (n,) each.

        Raises
        ------
        SimulationError
            If two derivatives differ, or one is not a number; it names the signal. If a
            Python function of a Node fails; it names the Node.
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If spikes have surrogate gradients, which are not derivatives; or if there
            are neither inputs nor trainable parameters.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     ensemble = nengo.Ensemble(5, 1, neuron_type=nengo.Tanh(), label="a")
        ...     _ = nengo.Connection(node, ensemble, synapse=None)
        ...     probe = nengo.Probe(ensemble)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     found = sim.check_gradients()
        >>> found[probe]["analytic"].shape == found[probe]["numeric"].shape
        True
        """
        self._check_ready("check gradients")
        return self._training.check_gradients(
            outputs, atol, rtol, inputs, n_steps, self.unroll
        )

    def run_batch(
        self,
        data: Any,
        outputs: dict[Any, Any],
        extra_feeds: None = None,
        extra_fetches: None = None,
        n_epochs: int = 1,
        truncation: int | None = None,
        shuffle: bool = False,
        profile: Any = None,
        training: bool = False,
        callback: Callable[[dict, None], Any] | None = None,
        combine: Callable[[list], Any] = np.stack,
        isolate_state: bool = True,
        as_rates: bool = False,
    ) -> dict[Any, Any]:
        """Apply functions to the outputs of Probes, minibatch by minibatch.

        Parameters
        ----------
        data : dict of {Node or Probe: array}, shape (n_items, n_steps, size)
            As for `train`. A number instead of a dict: that many steps, and no data.
        outputs : dict of {Probe or tuple of Probe: callable or None}
            Functions to apply to each minibatch: ``f(outputs)`` or ``f(outputs,
            targets)`` of tensors of shape (minibatch_size, n_steps, size), or of lists
            of them if the key is a tuple; it returns a tensor, or a tuple of them.
            None: the outputs.
        extra_feeds, extra_fetches : None
            Arguments for TensorFlow 1, which must be None.
        n_epochs : int, optional
            Number of times that each item is presented.
        truncation : int, optional
            Present items in parts of so many steps, one after the other, and apply the
            functions to each part. Needs less memory.
        shuffle : bool, optional
            Whether to shuffle the items in each epoch.
        profile : bool or str, optional
            Write a profile that TensorBoard shows into this directory, and one for
            ``chrome://tracing`` into a file of the same name that ends in ``.json``.
            True: ``"nengo_dl_profile"``.
        training : bool, optional
            Run the network as in training, with firing rates instead of spikes.
        callback : callable, optional
            ``callback(values, None)`` is called after each minibatch, or part of one,
            with the results of it.
        combine : callable, optional
            Combines the list of the results of all minibatches; by default into one
            array. Members of tuples are combined separately.
        isolate_state : bool, optional
            Whether each minibatch starts in the initial state, and the state of the
            simulation does not change (default). If False, the first minibatch starts
            in the current state, each of the others in the final state of the one
            before, and the simulator keeps the last.
        as_rates : bool, optional
            Run it with firing rates instead of spikes, and all else as in simulations.

        Returns
        -------
        dict
            The combined results, with the keys of ``outputs``.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an argument does not fit.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np, tensorflow as tf
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node)
        >>> x = np.ones((6, 10, 1))
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     means = sim.run_batch({node: x}, {probe: tf.reduce_mean})
        >>> means[probe].shape
        (3,)
        """
        self._check_ready("run minibatches")
        compat.refuse_sessions(extra_feeds=extra_feeds, extra_fetches=extra_fetches)
        return self._training.run_batch(
            data,
            outputs,
            n_epochs,
            truncation,
            shuffle,
            compat.profile_directory(profile),
            training,
            callback,
            combine,
            isolate_state,
            as_rates,
            self.seed,
        )

    # -- training as Keras does it

    @property
    def keras_model(self) -> SimulatorModel:
        """The network as a model of Keras.

        Its weights are the parameters of the simulator: ``load_weights`` changes both.
        Inputs and outputs are dicts of tensors by name, see `get_name`.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        """
        self._check_open("use the Keras model")
        if not tf.inside_function():
            check_eager("Cannot use the Keras model")
        return self._keras.model

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **options: Any,
    ) -> None:
        """Choose what `fit` minimises and how, and what `evaluate` measures.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer, str or tf.compat.v1.train.Optimizer
            As for `train`; an optimizer that `train` has used keeps its state. A name
            makes a new one. None: `fit` is not possible.
        loss : str, callable, keras.losses.Loss, dict or list, optional
            The loss to minimise: one for all Probes; ``{probe: loss}``, with Probes or
            names as keys; or a list in the order of the Probes, with None for those
            without a loss. Functions are called as ``f(y_true, y_pred)`` unless their
            parameters are called ``outputs`` and ``targets``, or as ``f(y_pred)`` if
            they take one argument. The sum is minimised.
        loss_weights : dict or list of float, optional
            Factors of the losses in the sum.
        metrics, weighted_metrics : str, callable, keras.metrics.Metric, dict or list
            Further measures, without and with the weights of samples, in the forms of
            ``loss``; each may be a list of several. A list of single metrics whose
            length is not the number of Probes applies to all of them.
        **options
            For `keras.Model.compile`: ``steps_per_execution``, ``jit_compile``,
            ``run_eagerly``. With 20 steps per execution for example, Keras calls
            compiled code once for 20 minibatches, which is faster for small networks.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an argument does not fit.

        Notes
        -----
        Losses and metrics have the precision of the simulation, except for objects that
        were made with another ``dtype``.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node, label="output")
        >>> x = np.ones((6, 10, 1))  # items, time steps, dimensions
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     sim.compile("sgd", loss={probe: "mse"}, metrics={probe: ["mae"]})
        ...     found = sim.evaluate({node: x}, {probe: 3 * x}, verbose=0)
        >>> {name: round(float(value), 3) for name, value in found.items()}
        {'loss': 4.0, 'output_loss': 4.0, 'output_mae': 2.0}
        """
        self._check_ready("compile")
        self._keras.compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, options
        )

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        truncation: int | None = None,
        validate_as: str | None = None,
        validation_n_steps: int | None = None,
        **options: Any,
    ) -> Any:
        """Train the network like a Keras model, with losses, callbacks and metrics.

        Firing rates replace spikes, as in `train`; validation uses spikes unless
        ``validate_as="rates"``. With arrays, an epoch runs as one compiled loop, as in
        `train`. Keras runs its own loop, with one call for each minibatch, for datasets
        and generators, with ``stateful=True``, and if `compile` was called with
        ``run_eagerly`` or ``steps_per_execution``.

        Parameters
        ----------
        x : dict of {Node or str: array}, shape (n_items, n_steps, size_out), optional
            Values of Nodes without inputs. Also a list in the order of the Nodes, or an
            array for the first. Other Nodes have their own output. Also a
            `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator of minibatches
            ``(x, y)`` or ``(x, y, sample_weight)``, dicts of arrays of shape
            (minibatch_size, n_steps, size) by name. These have data for all input
            Nodes; an entry ``"n_steps"``, shape (minibatch_size, 1), is allowed.
        y : dict of {Probe or str: array}, shape (n_items, n_steps, size), optional
            Targets; also a list in the order of the Probes, or an array for the first.
            The loss decides how many steps they need.
        n_steps : int, optional
            Number of steps to run if no data are given for any Node.
        stateful : bool, optional
            False: each minibatch starts in the current state of the simulator, which
            does not change. True: each minibatch starts in the final state of the one
            before, and the simulator keeps the last, with what online learning rules
            have learned. Training draws new noise in any case; `evaluate` and `predict`
            go on with that of the simulation.
        truncation : int, optional
            Number of steps to backpropagate through, as in `train`, with an update
            after each part of so many steps. Losses and metrics are means over the
            parts.
        validate_as : {"spikes", "rates"}, optional
            Whether validation uses spikes, as in simulations (default), or firing
            rates, as in training. TensorFlow code runs as in simulations in both cases.
            For data of a single time step choose rates, or give ``validation_n_steps``:
            in one step a neuron spikes once or not at all.
        validation_n_steps : int, optional
            Number of time steps of validation, by default those of the data. Inputs of
            one step are repeated for so many steps, and the mean output over these
            steps is compared with targets of one step. (Keras' ``validation_steps`` is
            a number of minibatches.)
        **options
            For `keras.Model.fit`: ``epochs``, ``callbacks``, ``validation_data``,
            ``validation_split``, ``shuffle``, ``verbose``, ``sample_weight`` of shape
            (n_items,), (n_items, n_steps) or (n_items, n_steps, 1), for all outputs, or
            a dict by Probe or a list with one for each, ``class_weight`` for networks
            with one output, and so on. ``batch_size`` is always the
            simulator's minibatch_size. ``verbose`` is by default 0 if the simulator was
            made with ``progress_bar=False``; 2, one line for each epoch, if the output
            goes to a file; and otherwise Keras' default.

        Returns
        -------
        keras.callbacks.History
            Losses and metrics of each epoch: ``"loss"``, ``"<probe>_loss"``,
            ``"<probe>_<metric>"``, and those of validation, which begin with ``val_``.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If there is nothing to train, or `compile` was not called.
        ValidationError
            If an argument does not fit; it names the Node or Probe, the shape that was
            given and the one that was expected.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     ensemble = nengo.Ensemble(20, 1, neuron_type=nengo.RectifiedLinear())
        ...     _ = nengo.Connection(node, ensemble, synapse=None)
        ...     probe = nengo.Probe(ensemble)
        >>> x = np.linspace(-1, 1, 50).reshape(50, 1, 1)
        >>> with nengo_dl.Simulator(net, minibatch_size=10, progress_bar=False) as sim:
        ...     sim.compile("adam", loss="mse")
        ...     history = sim.fit(x, x**2, epochs=20, verbose=0)
        >>> bool(history.history["loss"][-1] < history.history["loss"][0])
        True
        """
        self._check_ready("fit")
        shown = self._printing(options)
        return self._keras.fit(
            x, y, n_steps, stateful, truncation, validate_as, validation_n_steps, shown
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        as_rates: bool = False,
        **options: Any,
    ) -> dict[str, float]:
        """Measure losses and metrics of the network as it is simulated, with spikes.

        Parameters
        ----------
        x, y, stateful
            As for `fit`.
        n_steps : int, optional
            Number of steps to run if no data are given for any Node. Inputs of one step
            are repeated for so many steps, and the mean output over these steps is
            compared with targets of one step.
        as_rates : bool, optional
            Whether firing rates replace spikes, as in training. With spikes and data of
            a single time step a warning is shown, because in one step a neuron spikes
            once or not at all.
        **options
            For `keras.Model.evaluate`: ``verbose``, ``callbacks``, ``sample_weight``,
            ``steps``.

        Returns
        -------
        dict of {str: float}
            ``"loss"``, ``"<probe>_loss"`` for each Probe with a loss, then
            ``"<probe>_<metric>"``.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If `compile` was not called.
        ValidationError
            If an argument does not fit.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node, label="output")
        >>> x = np.ones((6, 10, 1))  # items, time steps, dimensions
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     sim.compile(loss="mse")
        ...     found = sim.evaluate(x, 3 * x, verbose=0)
        >>> float(found["loss"])
        4.0
        """
        self._check_ready("evaluate")
        return self._keras.evaluate(
            x, y, n_steps, stateful, as_rates, self._printing(options)
        )

    def predict(
        self,
        x: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        as_rates: bool = False,
        out: Any = None,
        **options: Any,
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return the outputs of all Probes for given data, with spikes.

        Parameters
        ----------
        x, stateful
            As for `fit`.
        n_steps : int, optional
            Number of steps to run if no data are given for any Node. Inputs of one step
            are repeated for so many steps.
        as_rates : bool, optional
            Whether firing rates replace spikes, as in training.
        out : dict of {Probe or str: array}, shape (n_items, n_steps, size), optional
            Arrays to write the outputs of some Probes to, so that the outputs need not
            fit into memory: NumPy arrays, `np.memmap` for files, Zarr arrays, or any
            object with ``shape`` and ``__setitem__``. Also a list in the order of the
            Probes, or one array if there is one Probe only.
        **options
            For `keras.Model.predict`: ``verbose``, ``callbacks``, ``steps``.

        Returns
        -------
        dict of {Probe: np.ndarray}, shape (n_items, n_steps, size)
            The outputs of every time step, also with ``sample_every``; of the last step
            only if ``keep_history`` is False. ``sim.data`` does not change. With
            ``out``, the arrays given there.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an argument does not fit.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node, label="output")
        >>> x = np.ones((6, 10, 1))  # items, time steps, dimensions
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     outputs = sim.predict(x, verbose=0)
        >>> outputs[probe].shape
        (6, 10, 1)
        """
        self._check_ready("predict")
        return self._keras.predict(
            x, n_steps, stateful, as_rates, out, self._printing(options)
        )

    def predict_on_batch(
        self,
        x: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        as_rates: bool = False,
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return the outputs of all Probes for one minibatch.

        Parameters
        ----------
        x, n_steps, stateful, as_rates
            As for `predict`, with ``minibatch_size`` items.

        Returns
        -------
        dict of {Probe: np.ndarray}, shape (minibatch_size, n_steps, size)
            As `predict` returns them.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an argument does not fit.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node, label="output")
        >>> x = np.ones((6, 10, 1))  # items, time steps, dimensions
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     outputs = sim.predict_on_batch(x[:2])
        >>> outputs[probe].shape
        (2, 10, 1)
        """
        self._check_ready("predict")
        return self._keras.predict_on_batch(x, n_steps, stateful, as_rates)

    # -- parameters

    @compat.older_forms(
        lambda self, positional, named: compat.parameter_arguments(
            "save_params", positional, named
        )
    )
    def save_params(
        self,
        path: str | PathLike,
        include_state: bool = False,
        *,
        include_params: bool = True,
        optimizer: Any = None,
    ) -> None:
        """Save parameters to a file.

        Each is saved by name, which depends on the place of its object in the network.
        So they can be loaded into a simulator with another planner, minibatch size,
        device, dtype or ``unroll_simulation``, of the same network or of one with the
        same structure, such as a spiking and a rate-based version of it.

        If the process is killed while it writes, the older file is kept complete.

        Parameters
        ----------
        path : str or os.PathLike
            The file to write, which ``np.load`` can read too. ``.npz`` is added if the
            path does not end with it. An existing file is replaced and keeps its
            permissions.
        include_state : bool, optional
            Whether the state of the simulation is saved too: voltages, filters, time,
            and the position of random inputs.
        include_params : bool, optional
            Whether encoders, biases and weights are saved, whether trained or not,
            including changes by learning rules.
        optimizer : keras.optimizers.Optimizer or tf.compat.v1.train.Optimizer, optional
            The optimizer of `train` or `compile`. Its state and the position in the
            random order of items are saved too, so that training can go on later as if
            it had not been interrupted. Its learning rate is not saved.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If the system cannot write the file; an older one does not change.
        ValidationError
            If there is nothing to save, the path is a directory, or its directory does
            not exist.

        Examples
        --------
        >>> import nengo, nengo_dl, tempfile
        >>> with nengo.Network(seed=0) as net:
        ...     ensemble = nengo.Ensemble(20, 1, label="a")
        >>> folder = tempfile.mkdtemp()
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.save_params(f"{folder}/params")  # writes params.npz
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     sim.load_params(f"{folder}/params")
        """
        self._check_ready("save parameters")
        self._parameters.save(
            path,
            include_params,
            include_state,
            optimizer,
            lambda: self._trainer,
            self.seed,
        )

    @compat.older_forms(
        lambda self, positional, named: compat.parameter_arguments(
            "load_params", positional, named
        )
    )
    def load_params(
        self,
        path: str | PathLike,
        include_state: bool = False,
        *,
        include_params: bool = True,
        optimizer: Any = None,
    ) -> None:
        """Load parameters that `save_params` has written.

        Parameters
        ----------
        path : str or os.PathLike
            The path that was given to `save_params`, with or without ``.npz``.
        include_state : bool, optional
            Whether the state of the simulation is read too. The simulation continues
            from the time at which it was saved, with the same seed; recorded samples of
            Probes are deleted.
        include_params : bool, optional
            Whether encoders, biases and weights are read.
        optimizer : keras.optimizers.Optimizer or tf.compat.v1.train.Optimizer
            An optimizer for `train` or `compile`, which gets the state of the saved
            one. Both must have the same type.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If the system cannot read the file.
        ValidationError
            If there is no such file, or it is damaged, or it does not fit: the message
            lists names that are missing, unexpected or of another shape. The simulator
            is not changed then.

        Notes
        -----
        Weights that learning rules have changed differ between the items of a
        minibatch. They can be loaded into a simulator with the same ``minibatch_size``,
        or into any if all items are equal or there is only one.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np, tempfile
        >>> with nengo.Network(seed=0) as net:
        ...     ensemble = nengo.Ensemble(20, 1, label="a")
        >>> path = f"{tempfile.mkdtemp()}/params.npz"
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.save_params(path)
        ...     before = sim.data[ensemble].bias
        >>> with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        ...     sim.load_params(path)
        ...     print(np.allclose(sim.data[ensemble].bias, before))
        True
        """
        self._check_ready("load parameters")
        seed = self._parameters.load(
            path, include_params, include_state, optimizer, lambda: self._trainer
        )
        if seed is not None:
            self.seed = seed

    def export(
        self,
        path: str | PathLike,
        format: str = "saved_model",
        *,
        probes: Any = None,
        inputs: Any = None,
        n_steps: int | None = None,
        minibatch_size: int | None = None,
        weights: str = "float32",
        jit_compile: bool | None = None,
    ) -> dict[str, Any]:
        """Write the network into files that run without Nengo and without this package.

        They have two functions: ``run`` takes inputs and returns outputs, from the
        start of a simulation; ``step`` takes inputs and state, and returns outputs and
        the next state. They contain the current weights. See :doc:`/export`.

        Parameters
        ----------
        path : str or os.PathLike
            The folder to make. An existing one is replaced if it is empty or was made
            by `export`; any other is an error. If writing fails, the folder does not
            change.
        format : {"saved_model", "litert", "stablehlo", "onnx"}, optional
            For TensorFlow alone; for LiteRT's interpreter; as text for XLA, IREE and
            others; for onnxruntime and others (needs ``pip install tf2onnx onnx``).
        probes : nengo.Probe, str or sequence of these, optional
            The outputs, with a value for each time step, also with ``sample_every``; by
            default all Probes.
        inputs : nengo.Node, str or sequence of these, optional
            The Nodes that become inputs; by default all that take data. Other Nodes
            have their own output.
        n_steps : int, optional
            Number of time steps of ``run``. None: any number (in StableHLO there is no
            ``run`` then). If it is given, the values of functions of time, Processes
            and random numbers that the file cannot compute are stored in it for so many
            steps, as in a simulation with this seed, the same for all items. After the
            last step they repeat.
        minibatch_size : int, optional
            Number of items computed at once. None: any number; or the simulator's in
            StableHLO, with TensorNodes, and without inputs.
        weights : {"float32", "int8"}, optional
            Whether large weight matrices are stored with 8 bits in LiteRT.
        jit_compile : bool, optional
            Whether XLA compiles a SavedModel where it is loaded. None: as in this
            simulator.

        Returns
        -------
        dict
            The contents of ``metadata.json`` in the folder: names, shapes and units of
            inputs, outputs and state, the time step, and more.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        NotPossibleError
            If objects of the network cannot be exported; the message lists all of them.
            It is a subclass of NotImplementedError.
        ValidationError
            If an argument has a wrong type or value.
        SimulationError
            If the system cannot write the files.
        ImportError
            If a package is missing; the message says how to install it.

        Warns
        -----
        NengoWarning
            If TensorNodes fix the number of items, and ``minibatch_size`` is not given.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np, tempfile, tensorflow as tf
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0], label="x")
        ...     ensemble = nengo.Ensemble(20, 1)
        ...     _ = nengo.Connection(node, ensemble)
        ...     probe = nengo.Probe(ensemble, synapse=0.01, label="y")
        >>> folder = tempfile.mkdtemp()
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     info = sim.export(f"{folder}/model")
        >>> [entry["name"] for entry in info["inputs"] + info["outputs"]]
        ['x', 'y']
        >>> loaded = tf.saved_model.load(f"{folder}/model")  # needs TensorFlow alone
        >>> x = np.ones((3, 100, 1), np.float32)  # items, time steps, values
        >>> loaded.signatures["run"](x=tf.constant(x))["y"].shape
        TensorShape([3, 100, 1])
        """
        self._check_ready("export a network")
        return self._exports.export(
            path,
            format,
            probes,
            inputs,
            n_steps,
            minibatch_size,
            weights,
            jit_compile,
            self.seed,
        )

    def freeze_params(self, objs: Any) -> None:
        """Write the current parameters back into the network.

        All Nengo simulators that build the network then use the trained parameters:
        arrays of encoders, gains, biases, decoders and weights replace distributions
        and solvers. Ensembles, Connections and Probes are changed in place.

        Parameters
        ----------
        objs : nengo.Network, nengo.Ensemble, nengo.Connection, or a list of them
            The network or objects to freeze. A Network includes all Ensembles and
            Connections in it, and in Networks within it. Decoded Probes of a frozen
            Ensemble keep their current decoders.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        TypeError
            If ``objs`` has another type.
        ValidationError
            If an object, which is named, is not part of the network or cannot be
            frozen. Nothing is changed then.
        NotImplementedError
            If weights are those of a transform of an unknown type. Nothing is changed
            then.

        Notes
        -----
        If an Ensemble is frozen and a Connection from it is not, Nengo computes
        decoders for the new encoders. Frozen decoders include the function and the
        transform of the Connection; their solver becomes `nengo.solvers.NoSolver`.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     ensemble = nengo.Ensemble(20, 1)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.freeze_params(net)
        >>> ensemble.encoders.shape
        (20, 1)
        """
        self._check_ready("freeze parameters")
        self._parameters.freeze(objs)

    def get_nengo_params(self, objs: Any, as_dict: bool = False) -> Any:
        """Return the current parameters as arguments of Nengo's objects.

        Parameters
        ----------
        objs : nengo.Ensemble, nengo.ensemble.Neurons, nengo.Connection, or a list
            The objects; Neurons are treated like their Ensemble.
        as_dict : bool, optional
            Whether to return a dict by label. Labels must differ then.

        Returns
        -------
        dict, list of dict, or dict of {str: dict}
            For one object, for several in their order, or by label:
            ``nengo.Ensemble(n_neurons, dimensions, **params)`` and
            ``nengo.Connection(a, b, **params)`` make objects with the same parameters.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an object is not part of the network, has no such parameters, or if two
            have the same label.
        NotImplementedError
            If weights are those of a transform of an unknown type.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     a = nengo.Ensemble(20, 1)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     params = sim.get_nengo_params(a)
        >>> with nengo.Network() as other:
        ...     b = nengo.Ensemble(20, 1, **params)
        """
        self._check_ready("read parameters")
        return self._parameters.arguments(objs, as_dict)

    # -- its life

    def reset(
        self,
        seed: int | None = None,
        include_trainable: bool = True,
        include_probes: bool = True,
        include_processes: bool = True,
    ) -> None:
        """Reset time, state, samples and parameters to those of a new simulator.

        Parameters
        ----------
        seed : int, optional
            A new seed for all random numbers, also after later resets.
        include_trainable : bool, optional
            Whether parameters return to their initial values too, including those that
            learning rules have changed, and the state of optimizers is deleted.
        include_probes : bool, optional
            Whether recorded samples are deleted and time returns to 0.
        include_processes : bool, optional
            Whether Processes start again.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If the seed is not a whole number from 0 to 2**32 - 1.

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
        self._check_ready("reset")
        parameters, probes, processes = flags(
            include_trainable=include_trainable,
            include_probes=include_probes,
            include_processes=include_processes,
        )
        if seed is not None:
            self.seed = seed_number(seed)
        self._runner.reset(self.seed, parameters, probes, processes)
        if "_trainer" in vars(self):  # the first to need it makes it with this seed
            self._trainer.reset(self.seed, parameters)

    def soft_reset(
        self, include_trainable: bool = False, include_probes: bool = False
    ) -> None:
        """Reset the state, but not the samples and the time; see `reset`.

        Parameters
        ----------
        include_trainable : bool, optional
            Whether parameters return to their initial values too.
        include_probes : bool, optional
            Whether recorded samples are deleted and time returns to 0.

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
        self.reset(**compat.reset_arguments(include_trainable, include_probes))

    def close(self) -> None:
        """Free the simulator's resources; recorded samples can still be read.

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
            if step_in_progress(self.model.operators) is not None:
                self._check_ready("close")
            self.closed = True
            self.data.close()
            self._runner.close()
            del self._program
            for name in (
                "_trainer",
                "_training",
                "_keras_calls",
                "_parameters",
                "_exports",
            ):
                vars(self).pop(name, None)

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

    # -- pickles and copies

    def __getstate__(self) -> dict[str, Any]:
        """Return the content of a pickle: the model, and all that has changed in it."""
        check_eager("Cannot copy or pickle a simulator")
        return {
            "model": self.model,
            "seed": self.seed,
            "options": {**vars(self._options), "progress_bar": self.progress_bar},
            "strategy": KeptStrategy(self._replicas),
            "samples": self.data.samples(),
            "n_steps": self._runner.n_steps,
            "first_step": self._runner.first_step,
            "runner": None if self.closed else self._runner.snapshot(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Compile the model anew, and go on where the pickled simulator was."""
        model, options = state["model"], state["options"]
        with state["strategy"].scope(options["minibatch_size"]):
            Simulator.__init__(self, None, model.dt, state["seed"], model, **options)
        self._runner.probes.restore(state["samples"])
        if state["runner"] is None:
            self._runner.n_steps = state["n_steps"]
            self._runner.first_step = state["first_step"]
            self.close()
        else:
            self._runner.restore(state["runner"])

    # -- how it is shown

    def __repr__(self) -> str:
        if not hasattr(self, "data"):  # seen from a debugger, or in a traceback
            return "<nengo_dl.Simulator, not built>"
        return self._overview.at(self.n_steps, self.closed).line

    def _repr_html_(self) -> str:
        return self._overview.at(self.n_steps, self.closed).html


def program_of(simulator: Simulator) -> Program:
    """Return the compiled program of an open simulator, for tools that count its work.

    Parameters
    ----------
    simulator : Simulator
        The simulator.
    """
    return simulator._program

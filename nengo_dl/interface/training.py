"""Training a model, and measuring how well it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl import compat
from nengo_dl.display.profiling import profiling
from nengo_dl.inputs import checks, endpoints
from nengo_dl.inputs.endpoints import Endpoints, TrainingData
from nengo_dl.interface.core import Core
from nengo_dl.training import terms
from nengo_dl.training.summaries import Summaries
from nengo_dl.training.terms import NOT_GIVEN, Term
from nengo_dl.training.trainer import Trainer
from nengo_dl.user_code import warn_user


class Training(Core):
    """Train a model and measure losses; see `nengo_dl.Simulator`."""

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
    ) -> np.ndarray:
        """Optimise the trainable parameters of the network.

        Each item of the data is a simulation of its own, which begins in the initial
        state; the state, time and samples of the simulator itself do not change. Firing
        rates stand in for spikes, unless `configure_settings(surrogate=...)` says
        otherwise. Which parameters are trained is a matter of
        `configure_settings(trainable=...)`.

        Parameters
        ----------
        data : dict of {Node or Probe: array}, shape (n_items, n_steps, size)
            What Nodes without inputs present, and what is wanted of Probes. Nodes that
            are left out have their own output. A number instead of a dict: that many
            steps, and no data. As an older form, ``inputs`` and ``targets`` apart.
        optimizer : keras.optimizers.Optimizer, str or tf.compat.v1.train.Optimizer
            How parameters are changed. What an optimizer remembers stays with it from
            one call to the next.
        n_epochs : int, optional
            How often each item is presented.
        objective : callable, str, keras.losses.Loss or dict, optional
            What is minimised: ``f(outputs, targets)`` or ``f(outputs)`` of tensors of
            shape (minibatch_size, n_steps, size), which returns a scalar; a loss of
            Keras, or its name; applied to each Probe that has targets. ``{probe: f}``
            says what is for which, ``{(probe, probe): f}`` takes lists of both. The sum
            counts. ``{probe: None}``: the targets are the derivatives of the loss by
            the outputs. By default the mean squared error.
        shuffle : bool, optional
            Whether items come in another order in each epoch.
        truncation : int, optional
            Go back through so many time steps only, and change the parameters after
            each such part of an item. Needs less memory.
        summaries : list, optional
            What to write for TensorBoard, if the simulator has a ``tensorboard``
            directory: ``"loss"``, Connections, Ensembles, Neurons.
        profile : bool or str, optional
            Write a profile that TensorBoard shows, into this directory.
        progress_bar : bool, optional
            Whether to show progress; by default as the simulator was told.

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
            If no gradient passes through some part of the network, which is named.

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
        self._check_open("train")
        if self._settings.inference_only:
            raise ValidationError(
                "The network is configured with inference_only=True, so nothing can be "
                "trained. Expected `configure_settings(inference_only=False)`",
                attr="inference_only",
                obj=self,
            )
        arrays, terms = self._work(data, objective)
        endpoints.warn_about_synapses(
            self.model.toplevel, arrays.targets, arrays.n_steps
        )
        with profiling(profile), self._summaries(summaries) as written:
            return self._trainer.train(
                arrays,
                terms,
                optimizer,
                checks.positive_int(n_epochs, "n_epochs"),
                shuffle,
                endpoints.check_truncation(truncation, arrays.n_steps),
                self.progress_bar if progress_bar is None else progress_bar,
                written,
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
    ) -> Any:
        """Measure how well the network does what is wanted.

        Parameters
        ----------
        data : dict of {Node or Probe: array}, shape (n_items, n_steps, size)
            As for `train`.
        objective : callable, str, keras.losses.Loss or dict, optional
            As for `train`.
        combine : callable, optional
            Makes one value of the list of those of all minibatches.
        progress_bar : bool, optional
            Whether to show progress; by default as the simulator was told.
        training : bool, optional
            Measure the network as it is during training, with firing rates in the place
            of spikes.

        Returns
        -------
        float
            The sum over the objectives of what ``combine`` made of each.

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
        self._check_open("measure a loss")
        arrays, terms = self._work(data, objective)
        values = self._trainer.loss(
            arrays,
            terms,
            training,
            self.progress_bar if progress_bar is None else progress_bar,
        )
        return sum(combine(list(column)) for column in values.T)

    def check_gradients(
        self,
        outputs: nengo.Probe | Sequence[nengo.Probe] | None = None,
        atol: float = 1e-5,
        rtol: float = 1e-3,
        inputs: Any = None,
        n_steps: int | None = None,
    ) -> dict[nengo.Probe, dict[str, np.ndarray]]:
        """Compare the gradients that training would use with differences of outputs.

        Parameters
        ----------
        outputs : Probe or sequence of Probe, optional
            What gradients are taken of; by default all Probes.
        atol, rtol : float, optional
            Largest deviation: ``atol`` plus ``rtol`` times the sum of the absolute
            values that the derivative is the sum of.
        inputs : dict of {Node: array}, shape (minibatch_size, n_steps, size_out)
            What Nodes present; by default random numbers between -1 and 1.
        n_steps : int, optional
            How many time steps; by default as many as the inputs have, or two times
            ``unroll_simulation``.

        Returns
        -------
        dict of {Probe: {"analytic": array, "numeric": array, "names": array}}
            For each parameter that is trained, and for each input, the derivative of a
            random projection of what the Probe sees, along one random direction.
            Differences are taken in double precision. Shape (n,) each.

        Raises
        ------
        SimulationError
            If two derivatives differ, or one is not a number; it names the signal.
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If spikes have surrogate gradients, which are no slopes.

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
        self._check_open("check gradients")
        if self._settings.surrogate is not None:
            raise ValidationError(
                "Surrogate gradients are no slopes of the output, so there is nothing "
                "to compare them with. Expected surrogate=None",
                attr="surrogate",
                obj=self,
            )
        if isinstance(outputs, nengo.Probe):
            outputs = [outputs]
        probes = self._endpoints.probes if outputs is None else outputs
        if inputs is None:
            n_steps = 2 * self.unroll if n_steps is None else n_steps
            shape = (self.minibatch_size or 1, n_steps)
            rng = np.random.RandomState(0)
            inputs = {n: rng.uniform(-1, 1, (*shape, n.size_out)) for n in self._nodes}
        arrays = self._endpoints.check(inputs, None, n_steps, one_minibatch=True)
        return self._trainer.check_gradients(
            [self._endpoints.outputs.find(probe, "outputs") for probe in probes],
            arrays.inputs,
            arrays.n_steps,
            atol,
            rtol,
        )

    def _work(self, data: Any, objective: Any) -> tuple[TrainingData, tuple[Term, ...]]:
        """Return data and objectives of a call, checked."""
        inputs, targets, n_steps = self._endpoints.split(data)
        wanted = terms.resolve(
            objective,
            () if targets is None else tuple(targets),
            self._endpoints.probes,
            names=self._endpoints.names,
        )
        classes = {p for term in wanted if term.class_numbers for p in term.probes}
        return (
            self._endpoints.check(inputs, targets, n_steps, any_size=classes),
            wanted,
        )

    def _summaries(self, objects: Sequence[Any] | None) -> Summaries:
        """Return what writes about some objects for TensorBoard."""
        if objects and self.tensorboard is None:
            warn_user(
                "`summaries` are ignored: the simulator has no directory for them. "
                "Expected `Simulator(..., tensorboard=directory)`"
            )
        board = self._board if objects else None
        return Summaries(board, objects or (), self.model, self._runner.store)

    @cached_property
    def _endpoints(self) -> Endpoints:
        probes = tuple(self.model.probes)
        return Endpoints(
            tuple(self._nodes),
            probes,
            self.minibatch_size,
            self._settings.dtype,
            frozenset(p for p in probes if not self._settings.keeps_history(p)),
        )

    @cached_property
    def _trainer(self) -> Trainer:
        trainer = Trainer(self._built, self._program, self._runner.store)
        trainer.reset(self.seed)
        return trainer

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
            A new seed for everything random, now and after later resets.
        include_trainable : bool, optional
            Whether parameters return to their initial values too, including those that
            learning rules have changed, and optimizers forget what they remember.
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
        super().reset(seed, include_trainable, include_probes, include_processes)
        if "_trainer" in vars(self):
            self._trainer.reset(self.seed, include_trainable)

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

"""Training, measuring and predicting in Keras' way."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import SimulationError

from nengo_dl.display.progress import keras_verbosity
from nengo_dl.interface.training import Training
from nengo_dl.keras_model.calls import KerasCalls
from nengo_dl.keras_model.model import SimulatorModel


class KerasInterface(Training):
    """Use a simulator like a model of Keras; see `nengo_dl.Simulator`."""

    @property
    def keras_model(self) -> SimulatorModel:
        """The network as a model of Keras.

        Its weights are the parameters of the simulation: what ``load_weights`` reads is
        simulated from then on. Inputs and outputs are dicts of tensors by name, see
        `get_name`.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        """
        self._check_open("use the Keras model")
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
            As for `train`; an optimizer goes on where `train` has left it. A name
            stands for a new one.
        loss : str, callable, keras.losses.Loss, dict or list, optional
            What is minimised. One loss for all Probes; ``{probe: loss}``, with names as
            keys too; or a list in the order of the Probes, None for those that are not
            trained. Functions are called as ``f(y_true, y_pred)`` unless their
            parameters are called ``outputs`` and ``targets``, or as ``f(y_pred)`` if
            they take one argument. The sum is minimised.
        loss_weights : dict or list of float, optional
            Factors of the losses in the sum.
        metrics, weighted_metrics : str, callable, keras.metrics.Metric, dict or list
            What is measured besides, without and with the weights of samples, in the
            forms of ``loss``; lists of several may stand for each. A list of single
            metrics that is not as long as there are Probes applies to all of them.
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
        Losses and metrics have the precision of the simulation, but for objects that
        were made before with a type of their own.

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
        self._check_open("compile")
        self._keras.compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, options
        )

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **options: Any,
    ) -> Any:
        """Train the network; Keras runs the loop.

        Firing rates stand in for spikes, as in `train`.

        Parameters
        ----------
        x : dict of {Node or str: array}, shape (n_items, n_steps, size_out), optional
            What Nodes without inputs present. Also a list in the order of the Nodes, or
            an array for the first. Nodes that are left out have their own output.
            Otherwise a `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator of
            minibatches ``(x, y)`` or ``(x, y, sample_weight)``, dicts of arrays of
            shape (minibatch_size, n_steps, size) by name. These have data for all input
            Nodes; an entry ``"n_steps"``, shape (minibatch_size, 1), is allowed.
        y : dict of {Probe or str: array}, shape (n_items, n_steps, size), optional
            What is wanted; also a list in the order of the Probes, or an array for the
            first. The loss decides how many steps there have to be.
        n_steps : int, optional
            How many steps to run if no data are given for any Node.
        stateful : bool, optional
            False: each minibatch starts in the state that the simulation is in, and it
            stays in that state. True: each minibatch goes on where the one before it
            ended, and the simulation goes on from the last.
        **options
            For `keras.Model.fit`: ``epochs``, ``callbacks``, ``validation_data``,
            ``validation_split``, ``shuffle``, ``verbose``, ``sample_weight`` of shape
            (n_items,) or (n_items, n_steps) or a dict by Probe, ``class_weight`` for
            networks with one output, and so on. ``batch_size`` is always the
            simulator's minibatch_size. ``verbose`` is by default 0 if the simulator was
            made with ``progress_bar=False``; 2, one line for each epoch, if the output
            goes to a file; and otherwise what Keras chooses.

        Returns
        -------
        keras.callbacks.History
            Losses and metrics of each epoch: ``"loss"``, ``"<probe>_loss"``,
            ``"<probe>_<metric>"``, and with ``val_`` in front those of validation.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If nothing may be trained, or nothing was compiled.
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
        self._check_open("fit")
        if self._settings.inference_only:
            raise SimulationError(
                "The network is configured with inference_only=True, so nothing can be "
                "trained. Expected `configure_settings(inference_only=False)`"
            )
        return self._keras.fit(x, y, n_steps, stateful, self._spoken(options))

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **options: Any,
    ) -> dict[str, float]:
        """Measure losses and metrics of the network as it is simulated, with spikes.

        Parameters
        ----------
        x, y, n_steps, stateful
            As for `fit`.
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
            If nothing was compiled.
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
        self._check_open("evaluate")
        return self._keras.evaluate(x, y, n_steps, stateful, self._spoken(options))

    def predict(
        self,
        x: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **options: Any,
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return what all Probes see while data are presented.

        Parameters
        ----------
        x, n_steps, stateful
            As for `fit`.
        **options
            For `keras.Model.predict`: ``verbose``, ``callbacks``, ``steps``.

        Returns
        -------
        dict of {Probe: np.ndarray}, shape (n_items, n_steps, size)
            Every time step, whatever the ``sample_every`` of a Probe; one step where
            it keeps the last one only. ``sim.data`` does not change.

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
        self._check_open("predict")
        return self._keras.predict(x, n_steps, stateful, self._spoken(options))

    def predict_on_batch(
        self, x: Any = None, n_steps: int | None = None, stateful: bool = False
    ) -> dict[nengo.Probe, np.ndarray]:
        """Return what all Probes see in one minibatch.

        Parameters
        ----------
        x, n_steps, stateful
            As for `fit`, with ``minibatch_size`` items.

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
        self._check_open("predict")
        return self._keras.predict_on_batch(x, n_steps, stateful)

    def _spoken(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options that tell Keras how much to print."""
        return {"verbose": keras_verbosity(self.progress_bar), **options}

    @cached_property
    def _calls(self) -> KerasCalls:
        trainer = self._trainer
        model = SimulatorModel(
            trainer.functions,
            self._runner,
            self._program,
            self._endpoints.names,
            trainer.new_seed,
        )
        return KerasCalls(model, self._endpoints, trainer, self._runner, self._settings)

    @property
    def _keras(self) -> KerasCalls:
        self._calls.model.seed = self.seed
        return self._calls

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
        super().close()
        vars(self).pop("_calls", None)

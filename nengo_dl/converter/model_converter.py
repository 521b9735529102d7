"""The class that users call: a Keras model becomes a network."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import nengo
from nengo.exceptions import ValidationError

from nengo_dl.config import configure_settings
from nengo_dl.converter.activation_names import Swaps, describe
from nengo_dl.converter.comparison import Comparison, verify
from nengo_dl.converter.conversion import Conversion, Shared
from nengo_dl.converter.conversion_options import Options, scales, synapses
from nengo_dl.converter.conversion_report import ConversionReport
from nengo_dl.converter.keras_graph import (
    ModelGraph,
    Place,
    functional,
    operations_within,
)
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.layer_registry import CONVERTERS, register_layer
from nengo_dl.converter.model_data import arrays_of
from nengo_dl.converter.network_report import report
from nengo_dl.converter.rate_targets import rates_from_data
from nengo_dl.converter.round_trip import to_keras
from nengo_dl.converter.tensor_mapping import TensorMapping
from nengo_dl.simulator import Simulator
from nengo_dl.user_code import warn_user
from nengo_dl.validation import (
    WrongTypeError,
    flags,
    positive_number,
    refused,
    seed_number,
)


class Converter:
    """Convert a Keras model to a Nengo network with the same weights.

    Layers become Connections, Nodes and neurons, and the neurons can be replaced by
    spiking ones. Layers for which Nengo has no objects become TensorNodes, with a
    warning that says why. The Keras model does not change.

    Parameters
    ----------
    model : keras.Model
        A functional model, or a Sequential model whose input shape is known.
    allow_fallback : bool
        Whether layers and activations for which Nengo has no objects become
        TensorNodes. If False, they are an error.
    inference_only : bool
        True if the network will not be trained any more: BatchNormalization is folded
        into weights, Dropout is left out, biases become those of the neurons, and
        nothing is trainable.
    max_to_avg_pool : bool
        Whether maximum pooling becomes average pooling. Train the network again after
        this.
    split_shared_weights : bool
        Whether each call of a layer that is called several times gets its own weights,
        which are equal at first.
    swap_activations : dict, optional
        ``{old: new}``: activations and their replacements. Old ones are functions,
        names, classes or instances of layers, neuron types, or None for linear; new
        ones are neuron types, functions, or None. ``{(layer, old): new}`` and ``{layer:
        {old: new}}`` are for one layer.
    scale_firing_rates : float, dict or "auto", optional
        Factor of firing rates, with the same output: the input of neurons is multiplied
        by it, and their output divided. A dict ``{layer: factor}``, with layers,
        tensors or names as keys, scales some layers. ``"auto"``: so that neurons reach
        ``target_rate`` for ``sample_data``, see `nengo_dl.converter.rates_from_data`.
    synapse : float, nengo.synapses.Synapse or dict, optional
        Synapse (time constant in s) of all Connections and Probes from neurons; or
        ``{layer: synapse}``.
    temporal_model : bool
        Whether axis 1 of all tensors is time, each element of which becomes a time
        step of the simulation.
    freeze_batchnorm : bool, optional
        Older argument: convert BatchNormalization as with ``inference_only``, and keep
        all else trainable.
    sample_data : array, list of arrays or dict, optional
        Inputs of the model for ``scale_firing_rates="auto"``.
    target_rate : float, optional
        The firing rate (Hz) of the most active neurons with ``"auto"``; 100 by default.
    seed : int, optional
        Seed of the network, from which neurons get their initial voltages: with it all
        simulators of the network have the same spikes. None: others in each simulator.

    Attributes
    ----------
    model : keras.Model
        The functional model whose tensors and layers are keys.
    net : nengo.Network
        The network. If the converter is made within ``with network:``, it is part of
        that network.
    inputs : mapping
        Input Nodes, which take data.
    outputs : mapping
        Probes of the outputs. Their labels are the names of the layers that the outputs
        come from, unless one layer has several outputs.
    layers : mapping
        Neurons, Nodes or TensorNodes with the output of each layer. Keys of all three
        mappings are tensors, layers, names of layers, and lists with one of these.
    swap_activations : mapping
        The argument; ``unused_keys()`` returns keys that fit no layer.

    Raises
    ------
    TypeError
        If ``model`` is not such a model, or a layer cannot be converted and
        ``allow_fallback`` is False.
    ValidationError
        If an argument is wrong, shapes are not known, or a layer with weights is called
        several times and its `LayerConverter` does not support that.

    Warns
    -----
    UserWarning
        For layers that become TensorNodes, keys that fit no layer, and neurons whose
        output changes when they are scaled.

    References
    ----------
    P. U. Diehl et al., "Fast-classifying, high-accuracy spiking deep networks through
    weight and threshold balancing", IJCNN 2015, doi:10.1109/IJCNN.2015.7280696, for
    firing rates that suit spikes.

    Examples
    --------
    >>> import keras, nengo, nengo_dl, numpy as np
    >>> image = keras.Input((8, 8, 1))
    >>> x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    >>> x = keras.layers.Flatten()(x)
    >>> model = keras.Model(image, keras.layers.Dense(10)(x))
    >>> converter = nengo_dl.Converter(
    ...     model,
    ...     swap_activations={"relu": nengo.SpikingRectifiedLinear()},
    ...     scale_firing_rates=100,
    ...     synapse=0.005,
    ... )
    >>> with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
    ...     images = np.ones((1, 30, 64))  # items, time steps, pixels
    ...     sim.run_steps(30, data={converter.inputs[image]: images})
    >>> sim.data[converter.outputs[model.output]].shape
    (30, 10)
    """

    #: who converts which layer; None: a TensorNode
    converters: ClassVar[dict[type, type[LayerConverter] | None]] = CONVERTERS

    def __init__(
        self,
        model: Any,
        allow_fallback: bool = True,
        inference_only: bool = False,
        max_to_avg_pool: bool = False,
        split_shared_weights: bool = False,
        swap_activations: Any = None,
        scale_firing_rates: Any = None,
        synapse: Any = None,
        temporal_model: bool = False,
        *,
        freeze_batchnorm: bool | None = None,
        sample_data: Any = None,
        target_rate: float | None = None,
        seed: int | None = 0,
    ) -> None:
        fallback, inference, average, split, temporal, freeze = flags(
            allow_fallback=allow_fallback,
            inference_only=inference_only,
            max_to_avg_pool=max_to_avg_pool,
            split_shared_weights=split_shared_weights,
            temporal_model=temporal_model,
            freeze_batchnorm=False if freeze_batchnorm is None else freeze_batchnorm,
        )
        if freeze_batchnorm is not None:
            warnings.warn(
                "`freeze_batchnorm` is an older argument; the current form is "
                "`layer.trainable = False`, or `inference_only=True`",
                DeprecationWarning,
                stacklevel=2,
            )
        scale_firing_rates = _firing_rates(
            scale_firing_rates, model, sample_data, target_rate
        )
        options = Options(
            fallback,
            inference,
            average,
            split,
            Swaps(swap_activations),
            scales(scale_firing_rates),
            synapses(synapse),
            temporal,
            freeze,
        )
        self.allow_fallback = options.allow_fallback
        self.inference_only = options.inference_only
        self.max_to_avg_pool = options.max_to_avg_pool
        self.split_shared_weights = options.split_shared_weights
        self.swap_activations = options.swap_activations
        self.scale_firing_rates = scale_firing_rates
        self.synapse = synapse
        self.temporal_model = options.temporal_model
        self._shared = Shared(options)
        self._convert(model, None if seed is None else seed_number(seed))
        self._warn_about_keys(options)

    def _convert(self, model: Any, seed: int | None) -> None:
        """Make the network, and a Probe for each output."""
        net = nengo.Network(label=getattr(model, "name", None), seed=seed)
        conversion = Conversion(model, net, self._shared)
        self._conversion = conversion
        self.model = conversion.model
        if conversion.temporal_model:
            _check_time_axis(self.model.inputs)
        self.net = conversion.net
        self.layers: TensorMapping = conversion.layers
        self.inputs: TensorMapping = conversion.inputs
        if self.inference_only:
            with self.net:
                configure_settings(inference_only=True)
        conversion.build()
        self.outputs = self._add_probes()

    @staticmethod
    def register(*layer_types: type) -> Callable[[Any], Any]:
        """Return a decorator that registers a `LayerConverter` for classes of layers.

        Parameters
        ----------
        *layer_types : type
            Classes of layers or operations. Register subclasses separately.

        Returns
        -------
        callable
            Takes a subclass of `nengo_dl.converter.LayerConverter` and returns it.

        Raises
        ------
        TypeError
            If an argument is not a class of layers, or the decorated class not a
            subclass of `nengo_dl.converter.LayerConverter`.

        Warns
        -----
        UserWarning
            If another converter is replaced.

        Examples
        --------
        >>> import keras, nengo_dl
        >>> class Double(keras.layers.Layer):
        ...     def call(self, inputs):
        ...         return 2 * inputs
        >>> @nengo_dl.Converter.register(Double)
        ... class ConvertDouble(nengo_dl.converter.LayerConverter):
        ...     def convert(self, node_id):
        ...         output = self.add_nengo_obj(node_id)
        ...         self.add_connection(node_id, output, transform=2)
        ...         return output
        """
        for layer_type in layer_types or [None]:
            if not (
                isinstance(layer_type, type)
                and issubclass(layer_type, keras.Layer | keras.Operation)
            ):
                raise WrongTypeError(
                    "Expected a class of Keras layers or operations, such as "
                    f"`Converter.register(MyLayer)`; got {layer_type!r:.100}",
                    "layer_types",
                )
        register = register_layer(*layer_types)

        def checked(converter: Any) -> Any:
            if not (
                isinstance(converter, type) and issubclass(converter, LayerConverter)
            ):
                raise WrongTypeError(
                    "Expected a subclass of nengo_dl.converter.LayerConverter behind "
                    f"`@Converter.register({layer_types[0].__name__})`; got "
                    f"{converter!r:.100}",
                    "converter",
                )
            return register(converter)

        return checked

    def verify(
        self,
        training: bool = False,
        inputs: Any = None,
        atol: float = 1e-8,
        rtol: float | None = None,
    ) -> bool:
        """Check that the network and the Keras model have the same outputs.

        Parameters
        ----------
        training : bool
            Whether to train both for three epochs with stochastic gradient descent and
            the mean squared error before comparing, with regularizers and constraints;
            and to compare the numbers of trainable values. The weights of the model are
            restored.
        inputs : array, sequence of arrays or dict, optional
            Inputs, with the batch axis first; by default two items of random numbers
            between 0 and 1.
        atol, rtol : float
            Largest difference of outputs that is allowed: ``atol`` plus ``rtol`` times
            the largest output. By default ``rtol`` is 1e-5, and 1e-4 with ``training``:
            errors of rounding grow with each update, and batch normalisation of two
            items multiplies them.

        Returns
        -------
        bool
            True.

        Raises
        ------
        ValueError
            If an output differs by more; the message names the first layer that
            differs. Also if the numbers of trainable values differ.

        Examples
        --------
        >>> import keras, nengo_dl
        >>> layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(3)]
        >>> model = keras.Sequential([keras.Input((4,)), *layers])
        >>> nengo_dl.Converter(model).verify(training=True)
        True
        """
        compared = Comparison(self._conversion, self.outputs, inputs)
        return verify(compared, training, atol, rtol)

    def report(
        self, data: Any = None, n_steps: int | None = None, targets: Any = None
    ) -> ConversionReport:
        """Describe how each layer was converted, and how well spikes approximate it.

        Parameters
        ----------
        data : array, list of arrays or dict, optional
            Inputs of the model, with the batch axis first. If the network has no spikes
            and no synapses, the output of each layer is compared with that of Keras.
        n_steps : int, optional
            Number of time steps to present the data for, and to measure firing rates
            and outputs.
        targets : array, shape (items,), optional
            The class of each item: the index that should have the largest value in the
            first output of the model.

        Returns
        -------
        ConversionReport
            It prints as a table. ``report.layers`` has a row for each layer,
            ``report.native`` tells whether there are no TensorNodes,
            ``report.suggested_scales`` has factors for ``scale_firing_rates``,
            ``report.suggestions`` lists possible changes, and ``report.error``,
            ``report.agreement`` and ``report.accuracy`` measure the outputs by number
            of steps.

        Raises
        ------
        ValidationError
            If data, the number of steps or targets do not fit the model.

        Examples
        --------
        >>> import keras, nengo_dl
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu")])
        >>> report = nengo_dl.Converter(model).report()
        >>> report.layers[1].became, report.layers[1].n_parameters, report.native
        ('RectifiedLinear', 9, True)
        """
        if data is None and (n_steps is not None or targets is not None):
            raise ValidationError(
                "A run of the network needs `data`, inputs of the model", "data"
            )
        if targets is not None and n_steps is None:
            raise ValidationError(
                "An accuracy needs a run of the network: `n_steps` says for how many "
                "time steps; 1 is enough for rate neurons without synapses",
                "n_steps",
            )
        compared = None
        if data is not None:
            arrays = arrays_of(self.model, data, "data")
            compared = Comparison(self._conversion, self.outputs, arrays)
        return report(self._shared, compared, self.model.name, n_steps, targets)

    def to_keras(self, sim: Any) -> None:
        """Copy the trained values of the network to the Keras model.

        Parameters
        ----------
        sim : Simulator
            A simulator of `net`.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If it is a simulator of another network; if BatchNormalization was folded
            into weights (``inference_only``); or if copies of shared weights differ
            after training.

        Examples
        --------
        >>> import keras, nengo_dl, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> converter = nengo_dl.Converter(model)
        >>> with nengo_dl.Simulator(converter.net, progress_bar=False) as sim:
        ...     sim.compile(optimizer="sgd", loss="mse")
        ...     _ = sim.fit(np.ones((1, 1, 2)), np.ones((1, 1, 3)), verbose=0)
        ...     converter.to_keras(sim)
        >>> nengo_dl.Converter(model).verify()  # of what was learned
        True
        """
        if not isinstance(sim, Simulator):
            raise refused(sim, "sim", "a nengo_dl.Simulator of `converter.net`")
        to_keras(self._shared, sim)

    def get_converter(self, layer: Any) -> LayerConverter:
        """Return the `LayerConverter` of a layer of the model.

        Parameters
        ----------
        layer : keras.Layer
            The layer.

        Returns
        -------
        LayerConverter
            The same object for each call of the layer.

        Raises
        ------
        ValidationError
            If it is an input, or not a layer of the model.

        Examples
        --------
        >>> import keras, nengo_dl
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> converter = nengo_dl.Converter(model)
        >>> converter.get_converter(model.layers[0]).layer.units
        3
        """
        found = self._shared.converters.get(id(layer))
        if found is None:
            expected = f"a layer of {self.model.name!r} behind its inputs"
            raise refused(layer, "layer", expected)
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Refuse copies and pickles.

        Layers and tensors of the Keras model are keys here, by their identity. In a
        copy they are others: it would find nothing, and `to_keras` would assign to
        variables that no model has.
        """
        raise TypeError(
            f"Cannot copy or pickle {self}: its keys are the layers and tensors of one "
            "Keras model. Copy its network, `converter.net.copy()`, or save the model, "
            "`converter.model.save(path)`, and convert it again where it is needed"
        )

    def __repr__(self) -> str:
        return f"<Converter of {self.model.name!r}: {self.net}>"

    def _add_probes(self) -> TensorMapping:
        """Add a Probe for each output of the model."""
        found = TensorMapping("output", ModelGraph(self.model))
        tensors = list({id(tensor): tensor for tensor in self.model.outputs}.values())
        names = [tensor._keras_history.operation.name for tensor in tensors]
        with self.net:
            for tensor, name in zip(tensors, names, strict=True):
                obj = self.layers[tensor]
                synapse = self._conversion.synapse_of(obj)
                label = name if names.count(name) == 1 else None
                found.add(tensor, nengo.Probe(obj, synapse=synapse, label=label))
        return found

    def _warn_about_keys(self, options: Options) -> None:
        """Warn about keys of dicts that nothing of the model has had."""
        unused = options.swap_activations.unused_keys()
        if unused:
            names = ", ".join(sorted(map(_name, unused)))
            warn_user(
                f"swap_activations: no activation of {self.model.name!r} was {names}",
                UserWarning,
            )
        operations = list(operations_within(self.model, Place()))
        for argument, key in options.unknown_keys(operations):
            warn_user(
                f"{argument}: {_name(key)} is no layer of {self.model.name!r}",
                UserWarning,
            )


def _firing_rates(given: Any, model: Any, data: Any, target_rate: float | None) -> Any:
    """Return the factors of firing rates as they were given, or as data give them."""
    if target_rate is not None:
        positive_number(target_rate, "target_rate", "a rate above 0 Hz")
    if not (isinstance(given, str) and given == "auto"):
        if data is not None or target_rate is not None:
            raise ValidationError(
                'It is for scale_firing_rates="auto"; got '
                f"scale_firing_rates={given!r:.100}",
                attr="target_rate" if data is None else "sample_data",
            )
        return given
    if data is None:
        raise ValidationError(
            '"auto" needs `sample_data`, some hundred inputs of the model',
            attr="scale_firing_rates",
        )
    model = functional(model)
    arrays = arrays_of(model, data, "sample_data")
    return rates_from_data(model, arrays, 100.0 if target_rate is None else target_rate)


def _check_time_axis(inputs: list[keras.KerasTensor]) -> None:
    """Refuse inputs without an axis beside those of batch and time.

    Raises
    ------
    ValueError
        If an input has no other axis, or inputs have different numbers of time steps.
    """
    for tensor in inputs:
        if len(tensor.shape) < 3:
            raise ValidationError(
                f"The input {tensor._keras_history.operation.name!r} has the shape "
                f"{tensor.shape}, in which no axis is left beside batch and time. "
                "Expected (None, steps, size), or temporal_model=False",
                attr="temporal_model",
            )
    lengths = {t._keras_history.operation.name: t.shape[1] for t in inputs}
    if len(set(lengths.values()) - {None}) > 1:
        listed = ", ".join(f"{n} for {name!r}" for name, n in lengths.items())
        raise ValidationError(
            "All inputs have the same time steps, and these have different numbers of "
            f"them: {listed}",
            attr="temporal_model",
        )


def _name(key: Any) -> str:
    if isinstance(key, tuple):
        return f"({', '.join(map(_name, key))})"
    return describe(key)

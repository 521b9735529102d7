"""Parameters in and out: into files, and from them."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from typing import Any

from nengo.exceptions import ValidationError

from nengo_dl import compat
from nengo_dl.interface.training import Training
from nengo_dl.parameters import file_format, freezing
from nengo_dl.parameters.saving import Parts, Saving


class Parameters(Training):
    """Take parameters from a simulator, or give it some; see `nengo_dl.Simulator`."""

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
        """Write parameters into a file.

        Each has its name there, which follows from where its object stands in the
        network. So they can be loaded by a simulator with another planner, minibatch
        size, device, dtype or ``unroll_simulation``, of the same network or another one
        of the same structure, such as its spiking or its rate-based twin.

        If the process is killed at any moment, there is the older file or the new one,
        complete.

        Parameters
        ----------
        path : str or os.PathLike
            Where to. The file, which ``np.load`` reads too, ends with ``.npz``: that
            is added if the path does not. A file that is there keeps its permissions.
        include_state : bool, optional
            Whether the state of the simulation is saved too: voltages, filters, time,
            and how far random inputs have gone.
        include_params : bool, optional
            Whether encoders, biases and weights are saved, trained or not, including
            what learning rules have changed.
        optimizer : keras.optimizers.Optimizer or tf.compat.v1.train.Optimizer, optional
            The optimizer of `train` or `compile`: what it remembers is saved too, so
            that training can go on later as if it had not been interrupted. Its
            learning rate is not saved.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If the system cannot write the file; an older one stays as it is.
        ValidationError
            If there is nothing to save, or the path is that of a directory, or in one
            that does not exist.

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
        self._check_open("save parameters")
        parts = self._parts(include_params, include_state, optimizer)
        file_format.write(path, self._saving.content(parts, self.seed))

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
        """Read parameters that `save_params` has written; all of them, or none.

        Parameters
        ----------
        path : str or os.PathLike
            As it was given to `save_params`, with ``.npz`` or without. If there is no
            such file, one of just this name will do.
        include_state : bool, optional
            Whether the state of the simulation is read too. It goes on from the time at
            which it was saved, with the same seed; samples of Probes from before are
            forgotten.
        include_params : bool, optional
            Whether encoders, biases and weights are read.
        optimizer : keras.optimizers.Optimizer or tf.compat.v1.train.Optimizer
            An optimizer that was given to `train` or `compile`, or will be: it will
            remember what the one that was saved did, which has to be of its type.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        SimulationError
            If the system cannot read the file.
        ValidationError
            If there is no such file, or it is damaged, or it does not fit: names that
            are missing, unexpected or of another shape are listed. Nothing has changed
            in the simulator then.

        Notes
        -----
        What learning rules have changed differs between the items of a minibatch. It
        is loaded into a simulator with as many items; where all items are equal, or
        there is one only, into any.

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
        self._check_open("load parameters")
        parts = self._parts(include_params, include_state, optimizer)
        seed = self._saving.load(file_format.read(path), parts)
        if seed is not None:
            self.seed = seed

    def freeze_params(self, objs: Any) -> None:
        """Write the current parameters back into the network.

        Any simulator of Nengo's that builds the network then gets the model as it is
        now, trained: encoders, gains, biases, decoders and weights are arrays where
        they were distributions and solvers. Ensembles, Connections and Probes are
        changed in place.

        Parameters
        ----------
        objs : nengo.Network, nengo.Ensemble, nengo.Connection, or a list of them
            What is frozen, the whole network or parts of it. A Network stands for all
            Ensembles and Connections in it, and in Networks within it. Probes of what
            a frozen Ensemble represents keep the decoders that they have.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        TypeError
            If it is something else.
        ValidationError
            If one is not part of the network, or cannot be frozen, which is said by
            name. Nothing has changed then.
        NotImplementedError
            If weights are of a kind that is not Nengo's. Nothing has changed then.

        Notes
        -----
        If an Ensemble is frozen and a Connection from it is not, Nengo will compute
        decoders for the new encoders. What a function or a transform did to decoders is
        part of the frozen decoders, so they give way to `nengo.solvers.NoSolver`.

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
        self._check_open("freeze parameters")
        freezing.freeze(self.model, self._runner.store, objs)

    def get_nengo_params(self, objs: Any, as_dict: bool = False) -> Any:
        """Return the current parameters as arguments of Nengo's objects.

        Parameters
        ----------
        objs : nengo.Ensemble, nengo.ensemble.Neurons, nengo.Connection, or a list
            Of which objects; Neurons stand for their Ensemble.
        as_dict : bool, optional
            Whether to return arguments by label, which have to differ then.

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
            If weights are of a kind that is not Nengo's.

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
        self._check_open("read parameters")
        return freezing.params(self.model, self._runner.store, objs, as_dict)

    @cached_property
    def _saving(self) -> Saving:
        return Saving(self.model, self._program, self._runner)

    def _parts(self, params: bool, state: bool, optimizer: Any) -> Parts:
        """Return what is to be saved or loaded, checked."""
        if not params and not state and optimizer is None:
            raise ValidationError(
                "Neither parameters nor state nor an optimizer: there is nothing to "
                "do. Expected at least one of them",
                attr="include_params",
            )
        if optimizer is None:
            return Parts(params, state)
        if isinstance(optimizer, str):
            raise ValidationError(
                f"A name such as {optimizer!r} stands for a new optimizer in each "
                "call, which remembers nothing. Expected the optimizer that was given "
                "to `train` or `compile`",
                attr="optimizer",
            )
        if not any(self._trainable.values()):
            raise ValidationError(
                "Nothing in the network is trainable, so an optimizer has nothing to "
                "remember. Expected `configure_settings(trainable=True, "
                "inference_only=False)`; or leave `optimizer` out",
                attr="optimizer",
            )
        return Parts(params, state, self._trainer.optimizer(optimizer))

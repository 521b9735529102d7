"""Parameters in and out: into files, and from them."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from typing import Any

from nengo.exceptions import ValidationError

from nengo_dl import compat
from nengo_dl.interface.training import Training
from nengo_dl.runtime import parameter_files
from nengo_dl.runtime.saving import Parts, Saving


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
            Where to. If it ends with ``.npz``, one file that ``np.load`` reads;
            otherwise a checkpoint of TensorFlow, which consists of ``path.index`` and
            ``path.data-...``.
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
            If there is nothing to save, or the path is that of a directory.

        Examples
        --------
        >>> import nengo, nengo_dl, tempfile
        >>> with nengo.Network(seed=0) as net:
        ...     ensemble = nengo.Ensemble(20, 1, label="a")
        >>> folder = tempfile.mkdtemp()
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     sim.save_params(f"{folder}/params")
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     sim.load_params(f"{folder}/params")
        """
        self._check_open("save parameters")
        parts = self._parts(include_params, include_state, optimizer)
        parameter_files.write(path, self._saving.content(parts, self.seed))

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
            As it was given to `save_params`.
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
        """
        self._check_open("load parameters")
        parts = self._parts(include_params, include_state, optimizer)
        seed = self._saving.load(parameter_files.read(path), parts)
        if seed is not None:
            self.seed = seed

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
        return Parts(params, state, self._trainer.optimizer(optimizer))

"""What a simulator says of itself: its times, how it runs, what it looks like."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.display.overview import Overview
from nengo_dl.display.report import Report, report
from nengo_dl.graph.signals import size
from nengo_dl.interface.core import Core


class Shown(Core):
    """Say what a simulator is; see `nengo_dl.Simulator`."""

    def _overview(self) -> Overview:
        return Overview(
            network=getattr(self.model.toplevel, "label", None),
            minibatch_size=self.minibatch_size,
            dtype=self._settings.dtype,
            device=self.device,
            dt=self.dt,
            n_steps=self.n_steps,
            n_operators=len(self.model.operators),
            n_groups=self._n_groups,
            n_parameters=sum(size(s) for s, is_on in self._trainable.items() if is_on),
            closed=self.closed,
        )

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
        steps = np.arange(self._first_step + 1, self.n_steps + 1)
        return self.dt * steps[steps % period < 1]

    @property
    def times(self) -> Mapping[str, float]:
        """How long each stage has taken so far (s).

        ``"nengo build"``: Nengo's builder. ``"plan"``: everything from its operators to
        a plan in memory. ``"trace"`` and ``"compile"``: TensorFlow's graph and XLA's
        code, before the first step; 0 if an equal model was compiled before.
        """
        return dict(self._times)

    def report(self) -> Report:
        """Describe how the model runs, how long each stage took, and what slows it.

        Returns
        -------
        Report
            Prints as a table: the groups of operators of one time step and where each
            runs, the times (s), and remarks on what keeps the model from being faster.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.

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
        return report(
            self._program,
            self.times,
            self._settings.dtype,
            self._settings.jit_compile is not False,
        )

    def __repr__(self) -> str:
        if not hasattr(self, "data"):  # seen from a debugger, or in a traceback
            return "<nengo_dl.Simulator, not built>"
        return self._overview().line

    def _repr_html_(self) -> str:
        return self._overview().html

"""What a simulator looks like at a prompt and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping

from nengo_dl.graph.signals import size
from nengo_dl.interface.core import Core
from nengo_dl.runtime.overview import Overview
from nengo_dl.runtime.report import Report, report


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

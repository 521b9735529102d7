"""What a simulator looks like at a prompt and in a notebook."""

from __future__ import annotations

from nengo_dl.graph.signals import size
from nengo_dl.interface.core import Core
from nengo_dl.runtime.overview import Overview


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

    def __repr__(self) -> str:
        if not hasattr(self, "data"):  # seen from a debugger, or in a traceback
            return "<nengo_dl.Simulator, not built>"
        return self._overview().line

    def _repr_html_(self) -> str:
        return self._overview().html

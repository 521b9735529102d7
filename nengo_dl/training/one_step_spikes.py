"""Spikes of a single time step, which say little about what a network has learned."""

from __future__ import annotations

from nengo.builder.neurons import SimNeurons

from nengo_dl.config import Settings
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.lowering.neurons.surrogate import has_surrogate
from nengo_dl.training.model_function import ModelFunction
from nengo_dl.user_code import warn_user


class OneStepSpikes:
    """Warn once where losses are about spikes of one step, but training about rates.

    Parameters
    ----------
    settings : Settings
        What the user configured: how the network is trained.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warned = False

    def judge(self, function: ModelFunction, n_steps: int) -> None:
        """Warn about what is measured outside of training, unless it was done before.

        Parameters
        ----------
        function : ModelFunction
            The model, as it is measured.
        n_steps : int
            Time steps of each item.

        Warns
        -----
        NengoWarning
            If it depends on spikes of one step, of neurons that are trained as rates.
        """
        if n_steps != 1 or self._warned or self._settings.learning_phase is not None:
            return
        for op in function.operators:
            if isinstance(op, SimNeurons) and self._trained_as_rates(op):
                self._warned = True
                warn_user(
                    "Losses and metrics outside of training are about spikes, here "
                    f"those of {op.neurons} in a single time step, in which a neuron "
                    "spikes once or not at all. They say little about what the network "
                    "has learned, which is trained with firing rates. Measure rates: "
                    "`fit(..., validate_as='rates')`, "
                    "`evaluate(..., as_rates=True)`, `loss(..., as_rates=True)`; or "
                    "spikes over more time steps: `fit(..., validation_n_steps=60)`, "
                    "`evaluate(..., n_steps=60)`"
                )
                return

    def _trained_as_rates(self, op: SimNeurons) -> bool:
        if self._settings.surrogate is not None and has_surrogate(op.neurons):
            return False
        return rate_equivalent(op.neurons) is not None

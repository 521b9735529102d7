"""Keras' step of training, where several devices share a minibatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from nengo_dl.keras_model.keras_step import KerasStep
from nengo_dl.training.item_losses import over_items
from nengo_dl.training.loss_functions import OutputLoss, Reduction


class DividedTraining(keras.Model):
    """A model of Keras whose devices compute gradients for their own items.

    Attributes
    ----------
    fitting : KerasStep
        How `fit` runs.
    """

    fitting: KerasStep
    _own_losses: ItemLosses | None = None

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Choose optimizer, losses and metrics; see `keras.Model.compile`."""
        super().compile(*args, **kwargs)
        self._own_losses = item_losses(kwargs.get("loss"), kwargs.get("loss_weights"))

    def train_step(self, data: Any) -> Any:
        """Train with one minibatch; see `keras.Model.train_step`.

        Where several devices share it, each has the gradient for its items, if losses
        are means or sums over items; in the same exchange come the outputs of all, for
        losses and metrics as users see them.
        """
        losses, own, optimizer = self._own_losses, self.fitting, self.optimizer
        trained = [variable.value for variable in self.trainable_variables]
        if losses is None or not trained or not own.function.divides_gradients:
            return super().train_step(data)
        if optimizer is None or tf.executing_eagerly():
            return super().train_step(data)
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        dtype = own.function.dtype
        gradients, own.known = own.by_parts(
            losses,
            losses.reductions,
            x,
            (y or {}, weights or {}),
            trained,
            tf.cast(optimizer.scale_loss(tf.ones((), tf.float32)), dtype),
        )
        try:
            optimizer.apply(gradients, self.trainable_weights)
            return self.test_step(data)
        finally:
            own.known = None


@dataclass(frozen=True, eq=False)
class ItemLosses:
    """Losses that are means or sums over items.

    Attributes
    ----------
    losses : tuple of (str, OutputLoss, float)
        Outputs, their losses, and the factors of these.
    reductions : tuple of {"mean", "sum"}
        What each of them is.
    """

    losses: tuple[tuple[str, OutputLoss, float], ...]
    reductions: tuple[Reduction, ...]

    def __call__(
        self,
        outputs: Mapping[str, tf.Tensor],
        others: tuple[Mapping[str, tf.Tensor], Mapping[str, tf.Tensor]],
    ) -> Sequence[tf.Tensor]:
        """Return the losses of some items, as they are minimised.

        Parameters
        ----------
        outputs : mapping of str to tf.Tensor, shape (n_items, n_steps, ...)
            What the network puts out.
        others : tuple of mapping of str to tf.Tensor
            Targets, and weights of samples.
        """
        targets, weights = others
        return [
            factor
            * loss(targets.get(name), outputs[name], sample_weight=weights.get(name))
            for name, loss, factor in self.losses
        ]


def item_losses(losses: Any, factors: Any) -> ItemLosses | None:
    """Return losses as `ItemLosses`; None if one of them may be about all items.

    Parameters
    ----------
    losses : object
        As `compile` has got them; only a dict by output is looked at.
    factors : mapping of str to float, or None
        By which they are multiplied.
    """
    if not isinstance(losses, Mapping) or not isinstance(factors, Mapping | None):
        return None
    found, reductions = [], []
    for name, loss in losses.items():
        reduction = over_items(loss) if isinstance(loss, OutputLoss) else None
        if reduction is None:
            return None
        found.append((name, loss, (factors or {}).get(name, 1.0)))
        reductions.append(reduction)
    return ItemLosses(tuple(found), tuple(reductions)) if found else None

"""Which losses are means or sums over items, so that each device may have its own.

Of a mean over items, each device can compute the part of its own, with gradients: there
is nothing that it has to know of others. Of functions of users nobody knows, so they
get the outputs of all items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from nengo_dl.losses import nan_mse
from nengo_dl.objectives import Regularize, mse
from nengo_dl.training.loss_functions import LossFunction, OutputLoss, Reduction

#: Keras' losses that compare each item with its own target. Others, such as ``Dice``
#: and ``Circle``, are about all items together
_CLASSES = (
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
)
_FUNCTIONS = (
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
)

#: what Keras calls them
_REDUCTIONS: dict[Any, Reduction] = {
    "sum_over_batch_size": "mean",
    "mean": "mean",
    "sum": "sum",
}


def over_items(loss: LossFunction | OutputLoss) -> Reduction | None:
    """Return what a loss is over items.

    Parameters
    ----------
    loss : LossFunction or OutputLoss
        A loss of outputs and targets, as a number.

    Returns
    -------
    {"mean", "sum"} or None
        None: it may depend on all items in any other way.
    """
    if isinstance(loss, OutputLoss):
        return _REDUCTIONS.get(loss.reduction) if _is_by_item(loss.called) else None
    if loss.function is mse or isinstance(loss.function, Regularize):
        return "mean"
    return loss.reduction if _is_by_item(loss.function) else None


def _is_by_item(function: Callable[..., Any]) -> bool:
    """Return whether a function has an independent result for each item."""
    if function is mse or isinstance(function, Regularize):
        return True
    owner = getattr(getattr(function, "func", function), "__self__", None)
    if isinstance(owner, keras.losses.Loss):
        return _is_loss_by_item(owner)
    known = (getattr(keras.losses, name, None) for name in _FUNCTIONS)
    return function is nan_mse or any(function is own for own in known)


def _is_loss_by_item(loss: keras.losses.Loss) -> bool:
    if type(loss).__module__.startswith("nengo_dl.losses."):
        return True
    known = (getattr(keras.losses, name, None) for name in _CLASSES)
    if not any(type(loss) is own for own in known):
        return False
    # not all of them are in the configuration
    options = getattr(loss, "_fn_kwargs", None)
    if not isinstance(options, Mapping):
        return False
    # along other axes items are mixed, and what is ignored is not counted in the mean
    return options.get("axis", -1) == -1 and options.get("ignore_class") is None

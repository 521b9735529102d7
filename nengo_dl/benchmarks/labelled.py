"""Items with their classes, some to train and some to test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labelled:
    """Items with their classes, as Keras takes them.

    Attributes
    ----------
    train, test : np.ndarray, shape (n_items, *shape)
        Inputs of a model.
    train_labels, test_labels : np.ndarray, shape (n_items,)
        Numbers of their classes.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

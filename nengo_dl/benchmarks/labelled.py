"""Items with their classes, some to train and some to test."""

from __future__ import annotations

from dataclasses import dataclass, replace

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

    def standardised(self) -> Labelled:
        """Return inputs with mean 0 and variance 1, by those to train with."""
        mean, scale = self.train.mean(), self.train.std()
        return replace(
            self, train=(self.train - mean) / scale, test=(self.test - mean) / scale
        )

"""What Keras' model does once for several processes, or in all of them together."""

from __future__ import annotations

from typing import Any

import keras

from nengo_dl.distribution.workers import Workers
from nengo_dl.keras_model.inherited_methods import check_file, refused_by_keras


class AmongProcesses(keras.Model):
    """A model of Keras that several processes have, of which one writes files.

    Attributes
    ----------
    workers : Workers
        The processes.
    in_loop : bool
        Whether it trains, evaluates or predicts, so that callbacks call it.
    """

    workers: Workers
    in_loop: bool = False

    def stops(self, what: str) -> bool:
        """Return whether a loop is to end, in this process or in any other.

        All processes ask in the same places. A callback may have said so in one only,
        a limit of time for example; the others would wait for it forever.

        Parameters
        ----------
        what : {"training", "evaluating", "predicting"}
            What the loop does.
        """
        name = f"stop_{what}"
        stopped = self.workers.any_of_all(bool(getattr(self, name)))
        if stopped:
            setattr(self, name, True)
        return stopped

    def save_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Write the parameters of the simulation into a file.

        Of several processes one writes, and all go on when the file is complete. Within
        a loop nobody waits: callbacks that write may be those of one process.
        """
        check_file(filepath)
        save = super().save_weights

        def write() -> None:
            with refused_by_keras("keras_model.save_weights"):
                save(filepath, *args, **kwargs)

        if not self.in_loop:
            self.workers.by_chief(write)
        elif self.workers.chief:
            write()

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Read the parameters of the simulation from a file, in all processes."""
        # one of them may still be writing it, in a callback
        self.workers.wait_for_all()
        check_file(filepath, exists=True)
        with refused_by_keras("keras_model.load_weights"):
            super().load_weights(filepath, *args, **kwargs)

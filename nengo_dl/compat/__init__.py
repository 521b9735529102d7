"""The one door where older call forms become the current one.

Each function takes what was written for an earlier NengoDL (or for Nengo itself, whose
arguments come in another order) and returns today's arguments, with a
DeprecationWarning that shows the current form. Optimizers of TensorFlow 1, which have
no other form, become Keras optimizers without one: see `tf1_optimizers`. Nothing behind
this door knows of the older forms.
"""

from nengo_dl.compat.constructor import constructor_arguments
from nengo_dl.compat.deprecation import older_forms
from nengo_dl.compat.parameters import parameter_arguments
from nengo_dl.compat.running import (
    profile_directory,
    reset_arguments,
    run_arguments,
    sample_period,
)
from nengo_dl.compat.training import (
    gradient_arguments,
    loss_arguments,
    refuse_sessions,
    train_arguments,
)

__all__ = [
    "constructor_arguments",
    "gradient_arguments",
    "loss_arguments",
    "older_forms",
    "parameter_arguments",
    "profile_directory",
    "refuse_sessions",
    "reset_arguments",
    "run_arguments",
    "sample_period",
    "train_arguments",
]

"""Rewrites that leave the output of a model as it is and its graph cheaper.

One rewrite per file; each is a function from a list of operators and a `Facts` record
to a new list of operators. `simplify` repeats them until nothing changes.
"""

from nengo_dl.graph.simplify.factor_pes import factor_pes
from nengo_dl.graph.simplify.facts import Facts, Rewrite, simplify
from nengo_dl.graph.simplify.remove_identity_muls import remove_identity_muls
from nengo_dl.graph.simplify.remove_unmodified_resets import remove_unmodified_resets
from nengo_dl.graph.simplify.remove_zero_incs import remove_zero_incs

#: what runs unless ``configure_settings(simplifications=[...])`` says otherwise
default_simplifications: tuple[Rewrite, ...] = (
    remove_zero_incs,
    remove_identity_muls,
    remove_unmodified_resets,
    factor_pes,
)

__all__ = [
    "Facts",
    "Rewrite",
    "default_simplifications",
    "factor_pes",
    "remove_identity_muls",
    "remove_unmodified_resets",
    "remove_zero_incs",
    "simplify",
]

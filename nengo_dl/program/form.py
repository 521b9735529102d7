"""In which form a program runs: each is a trace, and a compilation, of its own."""

from __future__ import annotations

from typing import NamedTuple

from nengo_dl.program.ahead import Ahead

#: steps of a program for single steps. Two, not one: XLA takes what reads the only row
#: out of the loop, and rounds it otherwise than a loop over many steps does
BRIEF_CAPACITY = 2


class Form(NamedTuple):
    """What the trace of a loop depends on, beside the model.

    Attributes
    ----------
    ahead : Ahead
        How it computes what depends on inputs and parameters alone.
    brief : bool
        Whether it has room for a few steps only. A call of ``step()`` hands over, and
        gets back, buffers of that many rows, instead of 1,000.
    """

    ahead: Ahead = Ahead.NEVER
    brief: bool = False


#: that of runs of many steps
LONG = Form()

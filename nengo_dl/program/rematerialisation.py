"""Whether back-propagation through time keeps every state, or computes most again."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: part of the machine's memory from which on most states are computed again. Gradients
#: of what is kept, and copies that are laid out in another way, come on top of it
PART_OF_MEMORY = 1 / 8


@dataclass(frozen=True)
class Storage:
    """What the way back through some time steps needs of the way forward.

    Attributes
    ----------
    n_steps : int
        How many steps.
    length : int
        Steps between two states that are kept; ``n_steps`` if all of them are.
    state : int
        Bytes of one state.
    step : int
        Bytes that are kept of one step while it is differentiated.
    """

    n_steps: int
    length: int
    state: int
    step: int

    @property
    def bytes(self) -> int:
        """Bytes that are kept at most."""
        if self.length >= self.n_steps:
            return self.n_steps * self.step
        return self.n_states * self.state + self.length * self.step

    @property
    def n_states(self) -> int:
        """How many states are kept throughout."""
        return -(-self.n_steps // self.length)


@dataclass(frozen=True)
class Rematerialisation:
    """How many steps there are between two states that the way back keeps.

    Attributes
    ----------
    setting : bool, int or None
        True: about the square root of the number of steps; False: every state is
        kept; a number of steps; None: as True if the memory asks for it.
    memory : int or None
        Bytes of memory; None if that is not known.
    """

    setting: bool | int | None
    memory: int | None = None

    def storage(self, n_steps: int, state: int, step: int) -> Storage:
        """Return what is kept of so many steps, of so many bytes each."""
        everything = Storage(n_steps, n_steps, state, step)
        setting = self.setting
        if setting is None:
            limit = math.inf if self.memory is None else self.memory * PART_OF_MEMORY
            setting = everything.bytes > limit
        if setting is False or n_steps < 2:
            return everything
        length = _root(n_steps) if setting is True else min(setting, n_steps)
        return Storage(n_steps, length, state, step)


#: every state is kept
NEVER = Rematerialisation(False)


def _root(n_steps: int) -> int:
    """Return a divisor of the number not far above its root, or the root.

    What remains would be traced and compiled as a loop of its own.
    """
    root = math.isqrt(n_steps - 1) + 1
    near = (k for k in range(root, 2 * root) if n_steps % k == 0)
    return next(near, root)


def machine_memory() -> int | None:
    """Return the bytes of memory that this process may use, or None if not known.

    That of the machine, or of the container (control group) that it runs in.
    """
    found = []
    with suppress(AttributeError, ValueError, OSError):  # not on each system
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max": no limit
            found.append(int(Path("/sys/fs/cgroup", name).read_text()))
    return min(found, default=None)

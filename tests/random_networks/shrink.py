"""Cut a network down to what a failure needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from tests.random_networks.options import Options
from tests.random_networks.program import Program

#: whether a network, run in some way, still fails
Fails = Callable[[Program, Options], bool]


def shrink(program: Program, options: Options, fails: Fails) -> tuple[Program, Options]:
    """Return the shortest program, run in the plainest way, that still fails.

    Leaves out one statement after the other, with all that need it, the last first:
    probes and connections go before the objects that they refer to.
    """
    for plainer in _plainer(options):
        if fails(program, plainer):
            options = plainer
            break
    for name in (field.name for field in fields(Options)):
        plainer = replace(options, **{name: getattr(Options(), name)})
        if plainer != options and fails(program, plainer):
            options = plainer
    done = False
    while not done:
        done = True
        for i in reversed(range(len(program.lines))):
            if i < len(program.lines):
                shorter = program.without(i)
                if fails(shorter, options):
                    program, done = shorter, False
    return program, options


def _plainer(options: Options) -> Iterator[Options]:
    """Return ways to start with that are quick to check."""
    plain = Options(dt=options.dt, parts=(options.steps,), jit_compile=False)
    yield plain
    yield replace(plain, minibatch_size=options.minibatch_size)

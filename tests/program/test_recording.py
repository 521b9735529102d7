import nengo
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nengo_dl.plan.layout import Run, View
from nengo_dl.program.recording import Recording

with nengo.Network(add_to_container=False):
    PROBE = nengo.Probe(nengo.Node(size_in=1))
VIEW = View((Run(0, 0, 1),), (1,), True)

periods = st.one_of(
    st.integers(1, 12).map(float), st.floats(1, 12), st.sampled_from([2.5, 1000.0])
)


@given(periods, st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_samples_are_those_of_nengo_however_the_steps_are_cut(period, chunks):
    recording = Recording(PROBE, VIEW, period)
    total = sum(chunks)
    expected = [n for n in range(1, total + 1) if n % period < 1]
    kept, before = [], 0
    for n_steps in chunks:
        now = recording.kept(before, n_steps)
        kept += [before + i + 1 for i in range(n_steps) if now[i]]
        before += n_steps
    assert kept == expected


@given(periods, st.integers(0, 40), st.integers(1, 20), st.booleans())
def test_rows_hold_the_samples_in_order(period, first, n_steps, keep_history):
    recording = Recording(PROBE, VIEW, period, keep_history)
    capacity = n_steps + 3
    rows = recording.rows(first, n_steps, capacity)
    assert rows.shape == (capacity,)
    buffer = np.full(recording.capacity(capacity), -1)
    for i in range(n_steps):
        buffer[rows[i]] = first + i + 1
    samples = [n for n in range(first + 1, first + n_steps + 1) if n % period < 1]
    if not keep_history:
        samples = samples[-1:]
    assert buffer[: len(samples)].tolist() == samples


def test_memory_grows_with_what_is_kept():
    assert Recording(PROBE, VIEW).capacity(1000) == 1000
    assert Recording(PROBE, VIEW, 100.0).capacity(1000) == 11
    assert Recording(PROBE, VIEW, keep_history=False).capacity(1000) == 2


def test_every_step_needs_no_rows():
    assert Recording(PROBE, VIEW).every_step
    assert not Recording(PROBE, VIEW, 2.0).every_step
    assert not Recording(PROBE, VIEW, keep_history=False).every_step

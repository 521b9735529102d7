import nengo
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import nengo_dl
from nengo_dl.plan.layout import Run, View
from nengo_dl.program.recording import (
    SMALL_SAMPLE,
    Recording,
    by_recording,
    in_buffers,
)
from tests.helpers import assert_matches_nengo

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


def recordings(draw):
    """Return recordings of views into two blocks, as they may follow each other."""
    made = []
    for _ in range(draw(st.integers(1, 12))):
        block, start = draw(st.integers(0, 1)), draw(st.integers(0, 20))
        size = draw(st.sampled_from([1, 2, 3, 6, 2000]))
        shape = draw(st.sampled_from([(size,), (1, size)]))
        runs = (Run(block, start, start + size),)
        if draw(st.booleans()) and size == 6:
            runs = (Run(block, 9, 13), Run(1 - block, start, start + 2))
        period = draw(st.sampled_from([1.0, 1.0, 2.5]))
        keep = draw(st.sampled_from([True, True, False]))
        made.append(Recording(PROBE, View(runs, shape, True), period, keep))
    return made


@given(st.data())
def test_buffers_hold_the_samples_of_each_recording(data):
    found = recordings(data.draw)
    kinds = [data.draw(st.sampled_from("ffi")) for _ in found]
    memory = np.random.RandomState(0).rand(2, 5, 3, 2100)

    def values(view):
        parts = [memory[run.block, ..., run.start : run.stop] for run in view.runs]
        return np.concatenate(parts, axis=-1).reshape(5, 3, *view.shape)

    buffers = in_buffers(found, kinds, n_items=3)
    assert sorted(i for buffer in buffers for i in buffer.numbers) == [
        *range(len(found))
    ]
    arrays = []
    for buffer in buffers:
        assert len({(kinds[i], found[i].period) for i in buffer.numbers}) == 1
        assert len({found[i].keep_history for i in buffer.numbers}) == 1
        parts = [
            memory[run.block, ..., run.start : run.stop] for run in buffer.view.runs
        ]
        flat = np.concatenate(parts, axis=-1)
        arrays.append(flat.reshape(5, 3, *buffer.view.shape))
    views = [recording.view for recording in found]
    for view, samples in zip(views, by_recording(buffers, arrays, views), strict=True):
        np.testing.assert_array_equal(samples, values(view))


def test_small_samples_of_the_same_steps_share_a_buffer():
    def view(start, size, batched=True):
        return View((Run(0, start, start + size),), (size,), batched)

    found = [
        Recording(PROBE, view(4, 2)),
        Recording(PROBE, view(0, 4)),
        Recording(PROBE, view(4, 2)),
        Recording(PROBE, view(0, 4), 2.0),
        Recording(PROBE, view(0, SMALL_SAMPLE)),
        Recording(PROBE, view(0, 4, batched=False)),
    ]
    first, *others = in_buffers(found, "f" * len(found), n_items=2)
    assert set(first.numbers) == {0, 1, 2}
    # one stretch of memory, in which what two of them see occurs once
    assert first.view.runs == (Run(0, 0, 6),) and first.view.shape == (6,)
    assert dict(zip(first.numbers, first.parts, strict=True))[2] == (4, 6)
    assert [buffer.numbers for buffer in others] == [(3,), (4,), (5,)]


def many_probes(keep_history=True):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(keep_history=keep_history)
        stimulus = nengo.Node(np.sin)
        active = nengo.dists.Uniform(-1, -0.9)
        a = nengo.Ensemble(20, 2, neuron_type=nengo.LIFRate(), intercepts=active)
        b = nengo.Ensemble(30, 1)
        nengo.Connection(stimulus, a[0])
        nengo.Connection(a[1], b)
        for i in range(12):
            nengo.Probe(a.neurons[i : i + 1 + i % 3], synapse=0.01 * (i % 2) or None)
            nengo.Probe(b.neurons[::-2], "voltage", sample_every=0.002 * (1 + i % 2))
            nengo.Probe((a, b)[i % 2])
            nengo.Probe(b.neurons, "input", sample_every=0.001)
        nengo.Probe(stimulus)
    return net


def test_many_probes_record_what_they_do_in_nengo():
    assert_matches_nengo(many_probes, steps=25)


def test_many_probes_are_few_buffers():
    nets = many_probes(), many_probes(keep_history=False)
    found = []
    for net in nets:
        with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
            assert len(sim._program.recordings) == 49
            # sampled in every step, every second and every fourth
            assert len(sim._program.step.buffers) == 3
            for n_steps in (3, 8, 1):
                sim.run_steps(n_steps)
            found.append([sim.data[probe] for probe in net.probes])
    for every, last in zip(*found, strict=True):
        np.testing.assert_array_equal(every[:, -1:], last)

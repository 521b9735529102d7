import gc
import threading
import weakref

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.program import traces
from nengo_dl.program.traces import Traces
from nengo_dl.program.value_keys import value_key
from tests.helpers import assert_matches_nengo


class Held:
    value = 1.0


def network(seed=0, neurons=20, tau=0.01, **settings):
    with nengo.Network(seed=seed) as net:
        if settings:
            nengo_dl.configure_settings(**settings)
        stimulus = nengo.Node(np.sin)
        ensemble = nengo.Ensemble(neurons, 1)
        nengo.Connection(stimulus, ensemble, synapse=tau)
        net.probe = nengo.Probe(ensemble, synapse=tau)
    return net


def run(net, **kwargs):
    with nengo_dl.Simulator(net, progress_bar=False, **kwargs) as sim:
        sim.run_steps(10)
        return sim._program.traces


def test_equal_models_share_one_trace():
    assert run(network()) == 1
    assert run(network()) == 0
    # weights are arguments: another seed draws other ones, and changes nothing else
    assert run(network(seed=5)) == 0
    # a batch of one is the same computation as no batch
    assert run(network(), minibatch_size=1) == 0
    for seed in (0, 5):
        assert_matches_nengo(network(seed=seed), 20, brief=True)


def test_other_computations_do_not():
    plain = {"jit_compile": False}
    run(network(**plain))
    for different, options in (
        ({"neurons": 21}, {}),
        ({"tau": 0.02}, {}),
        ({"dtype": "float64"}, {}),
        ({"jit_compile": True}, {}),
        ({}, {"dt": 0.002}),
        ({}, {"minibatch_size": 2}),
    ):
        assert run(network(**{**plain, **different}), **options) == 1


@pytest.mark.parametrize("jit, traces", [(True, 0), (False, 1)])
def test_loop_is_unrolled_without_xla_only(jit, traces):
    run(network(jit_compile=jit))
    assert run(network(jit_compile=jit), unroll_simulation=4) == traces


def test_results_of_shared_traces_are_those_of_a_trace_of_ones_own():
    settings = {"dtype": "float64", "jit_compile": False}
    nets = [network(seed=seed, neurons=30, **settings) for seed in range(3)]

    def outputs():
        found = []
        for net in nets:
            with nengo_dl.Simulator(net, progress_bar=False) as sim:
                sim.run_steps(30)
                found.append(sim.data[net.probe].copy())
        return found

    together = outputs()
    for net, expected in zip(nets, together, strict=True):
        traces.shared.forget()
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(30)
            assert np.array_equal(sim.data[net.probe], expected)


def test_python_in_the_loop_is_not_shared():
    def make(gain):
        with nengo.Network() as net:
            node = nengo.Node(lambda t, x: gain * t, size_in=1)
            nengo.Connection(node, node)
            net.probe = nengo.Probe(node)
        return net

    for gain in (1.0, 2.0):
        net = make(gain)
        with nengo_dl.Simulator(net, progress_bar=False, dtype="float64") as sim:
            sim.run_steps(3)
            assert np.allclose(sim.data[net.probe][:, 0], gain * sim.trange())
            assert sim._program.traces == 1


def test_the_model_is_freed():
    net = network()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(10)
        model = weakref.ref(sim.model)
    del sim
    gc.collect()
    assert len(traces.shared) == 1
    assert model() is None


def test_the_least_recently_used_goes_first():
    kept, made = Traces(capacity=2), []

    def make(key):
        return kept.get(key, lambda: made.append(key) or key)

    for key in (1, 2, 1, 3, 1, 2):
        assert make(key) == key
    assert made == [1, 2, 3, 2]


def test_what_is_known_by_value_is_kept_beneath():
    beneath = Traces()
    own = Traces(beneath=beneath)
    unknown = object()
    assert own.get(("a", 1), lambda: "first") == "first"
    assert own.get(value_key([unknown]), lambda: "second") == "second"
    assert (len(beneath), len(own)) == (1, 1)
    other = Traces(beneath=beneath)
    assert other.get(("a", 1), lambda: "third") == "first"
    assert other.get(value_key([unknown]), lambda: "third") == "third"


def test_lists_of_equal_values_share_what_writes_into_nothing():
    beneath = Traces()
    own, other = Traces(beneath=beneath), Traces(beneath=beneath)

    def get(kept, held, make):
        return kept.get(lambda: value_key(lambda: held), make)

    assert get(own, [1], lambda: "first") == "first"
    assert get(other, [1], lambda: "second") == "first"
    assert get(other, [2], lambda: "second") == "second"
    # what is known by value keeps no object in memory
    reference = weakref.ref(held := Held())
    assert get(own, held, lambda: "third") == "third"
    del held
    gc.collect()
    assert reference() is None
    assert get(other, Held(), lambda: "fourth") == "third"


def test_what_is_written_into_while_it_is_traced_serves_that_object_alone():
    beneath = Traces()
    own, other = Traces(beneath=beneath), Traces(beneath=beneath)
    record, twin = [], []

    def get(kept, held):
        def make():
            held.append("traced")
            return object()

        return kept.get(lambda: value_key(lambda: held), make)

    first = get(own, record)
    assert get(own, record) is first
    assert record == ["traced"]
    for kept in (own, other):
        assert get(kept, twin) is not first
        assert twin == ["traced"]
        twin = []
    assert not len(beneath)


def test_what_code_on_the_host_may_write_into_is_the_objects_own():
    class Calls:
        shareable = False

    own = Traces(beneath=Traces())
    lists = [[], []]
    found = [own.get(value_key(lambda x=held: x), Calls) for held in (*lists, *lists)]
    assert found[:2] == found[2:]
    assert found[0] is not found[1]


def test_what_has_variables_of_its_own_serves_its_owner_alone():
    class Open:
        shareable = False

    beneath = Traces()
    own = Traces(beneath=beneath)
    owners = [object(), object()]
    found = [own.get("key", Open, owner) for owner in (*owners, *owners)]
    assert found[:2] == found[2:]
    assert found[0] is not found[1]
    assert not len(beneath)


def test_threads():
    results = {}

    def work(i):
        with nengo_dl.Simulator(network(seed=i % 2), progress_bar=False) as sim:
            sim.run_steps(20)
            results[i] = sim.data[sim.model.probes[0]].copy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(results[0], results[2])
    assert np.array_equal(results[1], results[3])
    assert not np.array_equal(results[0], results[1])

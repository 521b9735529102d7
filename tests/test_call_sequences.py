"""Calls in any order, of simulators that share what is compiled.

``python -m tests.call_sequences --from 0 --count 500`` tries more of them, and cuts
those that fail down to the calls that matter.
"""

import pytest

from tests.call_sequences.campaign import shrink
from tests.call_sequences.comparison import compare
from tests.call_sequences.sequence import CALLS, Call, sequence
from tests.call_sequences.world import World
from tests.helpers import rest_with_everything

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.everything
def test_losses_of_several_outputs_are_summed_in_the_same_order_each_time():
    # the last digit came out otherwise in one run of six
    calls = [call for call in sequence(226) if call.name in ("new", "compile", "fit")]
    assert [call.name for call in calls] == ["new", "compile", "fit"]
    for _ in range(8):
        assert not compare(calls)


@pytest.mark.parametrize("seed", rest_with_everything(range(2)))
def test_calls_do_what_they_do_alone(seed):
    calls = sequence(seed, length=6)
    found = compare(calls)
    assert not found, "\n".join([found, *map(str, calls)])


def test_sequences_have_all_calls():
    found = {call.name for seed in range(40) for call in sequence(seed)}
    assert found == set(CALLS)
    assert sequence(3) == sequence(3) != sequence(4)


def test_what_is_shared_wrongly_is_found(monkeypatch):
    """Values of one call that another call, alone, does not return."""
    calls = [Call("new", (("i", 0), ("minibatch_size", 1)))]
    for factor in (1.0, 2.0):
        calls.append(Call("change", (("factor", factor),)))
        arguments = {"steps": 1, "nodes": "a", "probes": "p", "objective": "global"}
        arguments |= {"by_probe": False, "training": False}
        calls.append(Call("loss", (("i", 0), *arguments.items())))
    assert not compare(calls)
    results = iter([1.0, 2.0, 1.0, 3.0])
    monkeypatch.setattr(World, "loss", lambda self, i, **options: next(results))
    assert "alone" in compare(calls)


def test_what_calls_may_not_change_is_found(monkeypatch):
    calls = [
        Call("new", (("i", 0), ("minibatch_size", None))),
        Call("step", (("i", 0),)),
        Call("check_gradients", (("i", 0),)),
    ]
    monkeypatch.setattr(World, "check_gradients", World.step)
    assert "has changed ['n_steps'" in compare(calls)


def test_shrinking_keeps_what_the_failure_needs():
    calls = sequence(1)
    last = calls[-1]
    assert last.simulator is not None
    fewer = shrink(calls, lambda calls: last in calls)
    assert fewer[-1] == last
    assert [call.name for call in fewer[:-1]] == ["new"]

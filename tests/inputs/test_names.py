import nengo
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.inputs.names import find, io_names, listing


def make(*labels):
    with nengo.Network(add_to_container=False):
        nodes = [nengo.Node(0, label=label) for label in labels]
        probes = [nengo.Probe(node, label=node.label) for node in nodes]
    return nodes, probes


@pytest.mark.parametrize(
    "label, name",
    [
        ("stimulus", "stimulus"),
        ("left eye:0", "left_eye_0"),
        ("a.b-c/d_e", "a.b-c/d_e"),
        ("<x² + y>", "x__y"),
        ("", "node"),
        (None, "node"),
        ("äöü", "node"),
    ],
)
def test_names_are_made_of_labels(label, name):
    nodes, _ = make(label)
    assert io_names(nodes, []) == {nodes[0]: name}


def test_names_are_unique_in_capital_letters_too():
    nodes, probes = make("a", "A", None, "a 1", "a_1")
    names = list(io_names(nodes, probes).values())
    assert names[:5] == ["a", "A_1", "node", "a_1_1", "a_1_2"]
    assert names[5:] == ["a_2", "A_3", "probe", "a_1_3", "a_1_4"]
    assert len({name.lower() for name in names}) == len(names)


def test_objects_are_found_by_label_and_by_name():
    nodes, _ = make("left eye", "right", "right")
    names = io_names(nodes, [])
    assert find("left eye", nodes, "Node", "data") is nodes[0]
    assert find("left_eye", nodes, "Node", "data", names) is nodes[0]
    assert find("right_1", nodes, "Node", "data", names) is nodes[2]
    # a name belongs to one of them, though the label does not
    assert find("right", nodes, "Node", "data", names) is nodes[1]
    with pytest.raises(ValidationError, match="data: 2 Nodes have the label 'right'"):
        find("right", nodes, "Node", "data")


def test_what_is_not_found_is_told_with_what_there_is():
    nodes, _ = make("left eye", "right")
    with pytest.raises(
        ValidationError, match=r"no Node has.*'up'; the Nodes are .*'left_eye'.*right"
    ):
        find("up", nodes, "Node", "data", io_names(nodes, []))
    assert listing([]) == "none"
    assert listing(nodes[1:]) == "<Node 'right'>"


def test_thousands_of_objects_with_one_label_get_numbers_in_order():
    nodes, probes = make(*["same"] * 3000)
    names = list(io_names(nodes, probes).values())
    assert names == ["same", *(f"same_{i}" for i in range(1, 6000))]

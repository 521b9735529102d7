"""Files of parameters: what is written is read, or a clear error says what is wrong."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nengo.exceptions import NengoException, SimulationError, ValidationError

from nengo_dl.parameters import file_format
from nengo_dl.parameters.file_format import Content

ENDINGS = ("", ".npz")

ARRAYS = {
    "params/a b.encoders": np.linspace(-1, 1, 6).reshape(3, 2),
    "params/%C3%BC->Ensemble[0].weights": np.arange(4, dtype="float32"),
    "state/TimeUpdate[0].0": np.array([[7]]),
}
FACTS = {"items": {"params/a b.encoders": 3}, "seed": 2**31}


def same(read, arrays=ARRAYS, facts=FACTS):
    return (
        read.arrays.keys() == arrays.keys()
        and all(read.arrays[name].dtype == a.dtype for name, a in arrays.items())
        and all(np.array_equal(read.arrays[n], a, True) for n, a in arrays.items())
        and {k: v for k, v in read.facts.items() if k in facts} == facts
    )


def files_of(path):
    return sorted(path.parent.glob(f"{path.name}*"))


def refused(path, text, kind=ValidationError):
    with pytest.raises(kind) as error:
        file_format.read(path)
    assert str(path) in str(error.value)
    assert text in str(error.value), str(error.value)


@pytest.fixture(params=ENDINGS, ids=["checkpoint", "npz"])
def path(request, tmp_path):
    return tmp_path / f"a file{request.param}"


def test_what_was_written_is_read(path):
    file_format.write(path, Content(ARRAYS, FACTS))
    assert same(file_format.read(path))
    assert {p.suffix for p in path.parent.iterdir()} == {
        ".npz" if path.suffix else ".index",
        *([] if path.suffix else [".data-00000-of-00001"]),
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).map(
            lambda name: f"params/{name.replace('/', '%2F')}"
        ),
        hnp.arrays(
            st.sampled_from(["float16", "float32", "float64", "int64"]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
        ),
        max_size=4,
    )
)
def test_arrays_of_any_name_shape_and_type(path, arrays):
    file_format.write(path, Content(arrays, {}))
    assert same(file_format.read(path), arrays, {})


def test_other_programs_can_read_it(tmp_path):
    file_format.write(tmp_path / "p", Content(ARRAYS, FACTS))
    reader = tf.train.load_checkpoint(os.fspath(tmp_path / "p"))
    name = "params/a b.encoders"
    assert np.array_equal(reader.get_tensor(name), ARRAYS[name])
    file_format.write(tmp_path / "p.npz", Content(ARRAYS, FACTS))
    with np.load(tmp_path / "p.npz") as archive:
        assert np.array_equal(archive[name], ARRAYS[name])


def test_a_path_may_have_any_type_and_be_relative(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    for form in (path.name, os.fsencode(path.name), Path(path.name)):
        file_format.write(form, Content(ARRAYS, FACTS))
        assert same(file_format.read(form))
    for other in (3, None, ["p"]):
        with pytest.raises(ValidationError, match="path of a file"):
            file_format.read(other)


def test_writing_again_replaces_it_and_leaves_nothing_else(path):
    for value in range(4):
        arrays = {"params/x": np.full(3, value)}
        file_format.write(path, Content(arrays, {}))
        assert same(file_format.read(path), arrays, {})
    assert len(list(path.parent.iterdir())) == (1 if path.suffix else 2 + value % 2)


def test_a_link_stays_a_link(path):
    folder = path.parent / "elsewhere"
    folder.mkdir()
    if not path.suffix:
        pytest.skip("a checkpoint has no file of that name")
    file_format.write(folder / path.name, Content({}, {}))
    path.symlink_to(folder / path.name)
    file_format.write(path, Content(ARRAYS, FACTS))
    assert path.is_symlink()
    assert same(file_format.read(folder / path.name))


def test_every_bit_counts(path):
    """A file with another bit is read as it was, or it is an error."""
    file_format.write(path, Content(ARRAYS, FACTS))
    outcomes = {"same": 0, "error": 0}
    for file in files_of(path):
        content = file.read_bytes()
        for position in range(len(content)):
            for bit in (
                {position % 8, (3 * position + 1) % 8}
                if path.suffix == ""
                else [position % 8]
            ):
                changed = bytearray(content)
                changed[position] ^= 1 << bit
                file.write_bytes(changed)
                try:
                    assert same(file_format.read(path)), (file, position, bit)
                    outcomes["same"] += 1
                except NengoException as error:
                    assert str(path) in str(error)
                    outcomes["error"] += 1
        file.write_bytes(content)
    assert same(file_format.read(path))
    # dates and lengths of padding do not matter, most of the rest does
    assert outcomes["error"] > outcomes["same"]


def test_files_that_end_early(path):
    file_format.write(path, Content(ARRAYS, FACTS))
    for file in files_of(path):
        content = file.read_bytes()
        for length in range(0, len(content), 3):
            file.write_bytes(content[:length])
            refused(path, "damaged")
        file.write_bytes(content)


def test_a_data_file_that_is_missing(tmp_path):
    file_format.write(tmp_path / "p", Content(ARRAYS, FACTS))
    (tmp_path / "p.data-00000-of-00001").unlink()
    refused(tmp_path / "p", "damaged")


def test_nothing_is_unpickled(tmp_path):
    path, proof = tmp_path / "p.npz", tmp_path / "proof"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (proof,))

    np.savez(path, nengo_dl=np.array([Evil()], object))
    refused(path, "damaged or not a file of parameters")
    file_format.write(path, Content(ARRAYS, FACTS))
    with np.load(path) as archive:
        arrays = {**archive, "params/x": np.array([Evil()], object)}
    np.savez(path, **arrays)
    refused(path, "Object arrays")
    assert not proof.exists()


def test_files_of_nengo_dl_3(tmp_path):
    np.savez_compressed(tmp_path / "old.npz", *ARRAYS.values())
    refused(tmp_path / "old.npz", "NengoDL 3")
    # which added the ending itself
    with pytest.raises(ValidationError, match="freeze_params"):
        file_format.read(tmp_path / "old")


def test_files_of_others(tmp_path):
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    refused(tmp_path / "other.npz", "'weights'")
    prefix = tf.train.Checkpoint(v=tf.Variable(1.0)).write(f"{tmp_path}/tf1")
    refused(Path(prefix), "has not been written by `save_params`")
    (tmp_path / "model.keras").write_bytes(b"PK")
    refused(tmp_path / "model.keras", "keras_model.load_weights")
    (tmp_path / "text.npz").write_text("no archive")
    refused(tmp_path / "text.npz", "damaged or not")


def test_files_of_the_future(path, monkeypatch):
    monkeypatch.setattr(file_format, "_FORMAT", 2)
    file_format.write(path, Content(ARRAYS, FACTS))
    monkeypatch.undo()
    refused(path, "format 2")


@pytest.mark.parametrize("header", [b"", b"\xff", b"[]", b"{}", b"3"])
def test_a_header_that_makes_no_sense(tmp_path, header):
    np.savez(tmp_path / "p.npz", nengo_dl=np.frombuffer(header, np.uint8))
    refused(tmp_path / "p.npz", "header")


def test_directories(tmp_path):
    for path in (tmp_path, tmp_path / "folder.npz"):
        path.mkdir(exist_ok=True)
        refused(path, "is a directory")
        with pytest.raises(ValidationError, match="is a directory"):
            file_format.write(path, Content(ARRAYS, FACTS))


def test_no_file(path):
    refused(path, "There is no file")


def test_no_folder(path):
    path = path.parent / "nowhere" / path.name
    refused(path, "There is no file")
    with pytest.raises(SimulationError, match="cannot be written") as error:
        file_format.write(path, Content(ARRAYS, FACTS))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_was_there_stays_if_writing_fails(path, call, monkeypatch):
    file_format.write(path, Content(ARRAYS, FACTS))
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    real = getattr(os, call)
    for good in range(3):
        calls = iter(range(10))

        def fail(*args, calls=calls, good=good):
            if next(calls) >= good:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args)

        with monkeypatch.context() as context:
            context.setattr(os, call, fail)
            other = {"params/x": np.ones(3)}
            try:
                file_format.write(path, Content(other, {}))
            except SimulationError as error:
                assert "No space left" in str(error)
                assert str(path) in str(error)
                after = {file: file.read_bytes() for file in path.parent.iterdir()}
                assert after == before
            else:
                # the last call is about the folder, or there were fewer of them
                assert good > 0
                assert same(file_format.read(path), other, {})
        file_format.write(path, Content(ARRAYS, FACTS))
        before = {file: file.read_bytes() for file in path.parent.iterdir()}


def test_no_permission_to_read(path, monkeypatch):
    file_format.write(path, Content(ARRAYS, FACTS))

    def fail(*args, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as context:
        context.setattr("builtins.open", fail)
        context.setattr("io.open", fail)
        refused(path, "Permission denied", SimulationError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_processes_that_are_killed_leave_a_complete_file(tmp_path):
    os.chmod(tmp_path, 0o755)
    result = subprocess.run(
        [sys.executable, "-m", "tests.parameters.interrupted_writes", tmp_path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found.pop("written again") == ["3.0"]
    assert found.pop("complete sets") is True
    killed = [found[case] for case in found if "killed" in case]
    # from the first call on nothing, or all; each way was seen
    assert len(killed) > 10
    assert set(killed) == {1.0, 2.0}
    for case, value in found.items():
        if "nothing before" in case:
            assert value == "none", case
        elif case.endswith(("space", "permission")):
            assert value == 1.0, case
        else:
            assert value in (1.0, 2.0), case

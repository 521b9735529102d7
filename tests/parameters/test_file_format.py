"""Files of parameters: what is written is read, or a clear error says what is wrong."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nengo.exceptions import NengoException, SimulationError, ValidationError

from nengo_dl.parameters import atomic_files, file_format
from nengo_dl.parameters.file_format import Content

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


def refused(path, text, kind=ValidationError):
    with pytest.raises(kind) as error:
        file_format.read(path)
    assert str(path) in str(error.value)
    assert text in str(error.value), str(error.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a file.npz"


def test_what_was_written_is_read(path):
    file_format.write(path, Content(ARRAYS, FACTS))
    assert same(file_format.read(path))
    assert os.listdir(path.parent) == [path.name]


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


def test_numpy_can_read_it(path):
    file_format.write(path, Content(ARRAYS, FACTS))
    name = "params/a b.encoders"
    with np.load(path) as archive:
        assert np.array_equal(archive[name], ARRAYS[name])


@pytest.mark.parametrize("name", ["p", "p.npz", "p.npy", "p.v1", ".p", "P.NPZ", ".npz"])
def test_the_ending_is_added_if_it_lacks(name, tmp_path):
    file_format.write(tmp_path / name, Content(ARRAYS, FACTS))
    full = name if name.endswith(".npz") else f"{name}.npz"
    assert os.listdir(tmp_path) == [full]
    assert same(file_format.read(tmp_path / name))
    assert same(file_format.read(tmp_path / full))


def test_a_file_without_the_ending_is_found(tmp_path):
    file_format.write(tmp_path / "q", Content(ARRAYS, FACTS))
    (tmp_path / "q.npz").rename(tmp_path / "p")
    assert same(file_format.read(tmp_path / "p"))
    # what `write` writes comes first
    other = {"params/x": np.ones(3)}
    file_format.write(tmp_path / "p", Content(other, {}))
    assert same(file_format.read(tmp_path / "p"), other, {})


@pytest.mark.parametrize(
    "name", ["a[1]", "[lr=0.1]/m", "x\\y", "*", "?/*", "ü ☃", "%2F", "a\nb", "n" * 250]
)
def test_any_character_may_be_in_a_path(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    for value in range(2):
        arrays = {"params/x": np.full(3, value)}
        file_format.write(path, Content(arrays, {}))
        assert same(file_format.read(path), arrays, {})
    assert os.listdir(path.parent) == [f"{path.name}.npz"]


def test_a_path_is_a_str_or_path_and_may_be_relative(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    file_format.write(path, Content({}, {}))
    for form in (path.name, Path(path.name), next(os.scandir()), path):
        file_format.write(form, Content(ARRAYS, FACTS))
        assert same(file_format.read(form))


@pytest.mark.parametrize("wrong", [3, None, ["p"], b"p", True, "", "a\0b", open])
def test_what_is_no_path(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (file_format.read, lambda p: file_format.write(p, Content({}, {}))):
        with pytest.raises(ValidationError) as error:
            call(wrong)
        for text in ("path: ", "a str or an os.PathLike", f"got {wrong!r}"):
            assert text in str(error.value)
    assert not os.listdir(tmp_path)


def test_writing_again_replaces_it_and_leaves_nothing_else(path):
    for value in range(4):
        arrays = {"params/x": np.full(3, value)}
        file_format.write(path, Content(arrays, {}))
        assert same(file_format.read(path), arrays, {})
    assert os.listdir(path.parent) == [path.name]


def test_a_link_stays_a_link(path):
    folder = path.parent / "elsewhere"
    folder.mkdir()
    file_format.write(folder / path.name, Content({}, {}))
    path.symlink_to(folder / path.name)
    file_format.write(path, Content(ARRAYS, FACTS))
    assert path.is_symlink()
    assert same(file_format.read(folder / path.name))


def test_every_bit_counts(path):
    """A file with another bit is read as it was, or it is an error."""
    file_format.write(path, Content(ARRAYS, FACTS))
    outcomes = {"same": 0, "error": 0}
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            assert same(file_format.read(path)), position
            outcomes["same"] += 1
        except NengoException as error:
            assert str(path) in str(error)
            outcomes["error"] += 1
    path.write_bytes(content)
    assert same(file_format.read(path))
    # dates and lengths of padding do not matter, most of the rest does
    assert outcomes["error"] > outcomes["same"]


def test_files_that_end_early(path):
    file_format.write(path, Content(ARRAYS, FACTS))
    content = path.read_bytes()
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        refused(path, "damaged")


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
    (tmp_path / "model.keras").write_bytes(b"PK")
    refused(tmp_path / "model.keras", "keras_model.load_weights")
    (tmp_path / "text.npz").write_text("no archive")
    refused(tmp_path / "text.npz", "damaged or not")


@pytest.mark.parametrize("given", ["p", "p.npz", "p.index", "p.data-00000-of-00001"])
def test_checkpoints_of_tensorflow(given, tmp_path):
    tf.train.Checkpoint(v=tf.Variable(1.0)).write(f"{tmp_path}/p")
    assert len(os.listdir(tmp_path)) == 2
    with pytest.raises(ValidationError) as error:
        file_format.read(tmp_path / given)
    for text in (
        f"no file {str(tmp_path / given).removesuffix('.npz') + '.npz'!r}",
        f"but {str(tmp_path / 'p.index')!r}",
        "checkpoint of TensorFlow",
        f"save_params({str(tmp_path / 'p.npz')!r})",
        "freeze_params(network)",
    ):
        assert text in str(error.value)
    # which does not keep anybody from writing beside it
    file_format.write(tmp_path / "p", Content(ARRAYS, FACTS))
    assert same(file_format.read(tmp_path / "p"))


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
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "plain").mkdir()
    for name in ("", "/", "/.", "/..", "/plain", "/folder.npz", "/folder", "/new/"):
        path = f"{tmp_path}{name}"
        for call in (file_format.read, lambda p: file_format.write(p, Content({}, {}))):
            with pytest.raises(ValidationError, match=r"path: .* is a directory") as e:
                call(path)
            assert path in str(e.value)
            assert "Expected the path of a file in it" in str(e.value)
    # there may be a file beside the folder
    file_format.write(tmp_path / "other", Content(ARRAYS, FACTS))
    (tmp_path / "other").mkdir()
    assert same(file_format.read(tmp_path / "other"))


def test_no_file(path):
    refused(path, "There is no file")
    refused(path.with_suffix(""), f"There is no file {str(path)!r}, nor one")


@pytest.mark.parametrize("between", ["nowhere", "a file"])
def test_no_folder(path, between):
    (path.parent / "a file").write_text("no folder")
    path = path.parent / between / path.name
    refused(path, "There is no file")
    with pytest.raises(ValidationError, match="path: There is no folder") as error:
        file_format.write(path, Content(ARRAYS, FACTS))
    assert repr(str(path.parent)) in str(error.value)
    assert "Expected a path in a folder that exists" in str(error.value)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666, 0o755])
def test_permissions_stay(path, mode):
    file_format.write(path, Content({}, {}))
    usual = path.stat().st_mode
    os.chmod(path, mode)
    before = path.stat()
    file_format.write(path, Content(ARRAYS, FACTS))
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.stat().st_mtime_ns >= before.st_mtime_ns
    assert same(file_format.read(path))
    path.unlink()
    file_format.write(path, Content({}, {}))
    assert path.stat().st_mode == usual


def test_permissions_are_there_before_the_content(path, monkeypatch):
    file_format.write(path, Content({}, {}))
    os.chmod(path, 0o600)
    real, seen = file_format._write_npz, []

    def look(file, arrays):
        seen.append(stat.S_IMODE(os.stat(file.name).st_mode))
        real(file, arrays)

    monkeypatch.setattr(file_format, "_write_npz", look)
    file_format.write(path, Content(ARRAYS, FACTS))
    assert seen == [0o600]


@pytest.mark.skipif(not hasattr(os, "chown"), reason="needs owners")
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs the superuser")
def test_the_owner_stays(path):
    file_format.write(path, Content({}, {}))
    os.chown(path, 65534, 65533)
    file_format.write(path, Content(ARRAYS, FACTS))
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


def test_a_protected_file_is_not_replaced(path, monkeypatch):
    file_format.write(path, Content(ARRAYS, FACTS))
    os.chmod(path, 0o444)
    if os.access(path, os.W_OK):  # for the superuser
        monkeypatch.setattr(os, "access", lambda file, mode: mode != os.W_OK)
    with pytest.raises(SimulationError, match="protected against writing") as error:
        file_format.write(path, Content({}, {}))
    assert str(path) in str(error.value)
    assert same(file_format.read(path))
    assert os.listdir(path.parent) == [path.name]


def leftover(path, letter):
    return path.with_name(f".{path.name}.{letter * 16}.tmp")


def test_what_the_dead_leave_behind_goes_and_nothing_else(path):
    others = [
        path.with_name(".b.npz.0123456789abcdef.tmp"),
        path.with_name(f".{path.name}.tmp"),
        path.with_name(f"{path.name}.0123456789abcdef.tmp"),
    ]
    for other in others:
        other.touch()
    for letter in "ab":
        leftover(path, letter).write_bytes(b"half of it")
    file_format.write(path, Content(ARRAYS, FACTS))
    assert set(path.parent.iterdir()) == {path, *others}


def test_who_is_alive_keeps_its_temporary_file(path, monkeypatch):
    """One begins to write and waits; another one writes all; the first goes on."""
    real, writing = file_format._write_npz, []

    def slow(file, arrays):
        writing.append(Path(file.name))
        if len(writing) == 1:
            file_format.write(path, Content({"params/x": np.ones(3)}, {}))
            assert writing[0].exists()
            assert same(file_format.read(path), {"params/x": np.ones(3)}, {})
        real(file, arrays)

    monkeypatch.setattr(file_format, "_write_npz", slow)
    file_format.write(path, Content(ARRAYS, FACTS))
    assert len(set(writing)) == 2
    assert same(file_format.read(path))
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("found", ["deleted", "locked"])
def test_a_temporary_file_that_is_taken_before_it_is_locked(path, found, monkeypatch):
    real, calls = atomic_files._lock, []

    def late(file):
        calls.append(file.name)
        if len(calls) == 1:
            os.unlink(file.name)
            if found == "locked":
                raise BlockingIOError
        real(file)

    monkeypatch.setattr(atomic_files, "_lock", late)
    file_format.write(path, Content(ARRAYS, FACTS))
    assert len(set(calls)) == 2
    assert same(file_format.read(path))


@pytest.mark.parametrize("missing", ["on this file system", "at all"])
def test_without_locks_nothing_is_removed(path, missing, monkeypatch):
    def no_locks(file):
        raise OSError(errno.ENOLCK, "No locks available")

    if missing == "at all":
        monkeypatch.setattr(atomic_files, "fcntl", None)
    else:
        monkeypatch.setattr(atomic_files, "_lock", no_locks)
    leftover(path, "a").touch()
    file_format.write(path, Content(ARRAYS, FACTS))
    assert same(file_format.read(path))
    assert set(path.parent.iterdir()) == {path, leftover(path, "a")}


def test_many_write_to_one_path(path):
    """Whoever reads at any time finds what one of them has written, complete."""
    ended = threading.Event()
    file_format.write(path, Content({"params/x": np.zeros(5000)}, {}))

    def write(value):
        for _ in range(25):
            arrays = {"params/x": np.full(5000, value)}
            file_format.write(path, Content(arrays, {"value": value}))

    def read():
        seen = set()
        while not ended.is_set():
            content = file_format.read(path)
            assert set(content.arrays["params/x"]) == {content.facts.get("value", 0)}
            seen.add(content.facts.get("value", 0))
        return seen

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        try:
            list(pool.map(write, range(1, 5)))
        finally:
            ended.set()
        assert reader.result()
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("removed", ["before our lock", "after our lock"])
def test_another_process_takes_the_new_file_for_a_leftover(path, removed, monkeypatch):
    """It locks and removes the file between the file's creation and our lock."""
    lock, copy_permissions = atomic_files._lock, atomic_files._copy_permissions
    other = []

    def lock_after_another(file):
        if not other:
            other.append(open(file.name, "r+b"))  # noqa: SIM115, closed by `remove`
            lock(other[0])
            if removed == "before our lock":
                remove()
        lock(file)

    def remove():
        Path(other[0].name).unlink(missing_ok=True)
        other[0].close()

    def copy_permissions_after_another(*args):
        remove()
        copy_permissions(*args)

    monkeypatch.setattr(atomic_files, "_lock", lock_after_another)
    monkeypatch.setattr(
        atomic_files, "_copy_permissions", copy_permissions_after_another
    )
    file_format.write(path, Content(ARRAYS, FACTS))
    file_format.write(path, Content(ARRAYS, FACTS))
    assert same(file_format.read(path))
    assert list(path.parent.iterdir()) == [path]


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

    for call in ("io.open", "os.stat"):
        with monkeypatch.context() as context:
            context.setattr(call, fail)
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
    # from when it has a temporary file until that takes its place
    assert found.pop("left behind") > 8
    assert found.pop("files then") == ["file.npz"]
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

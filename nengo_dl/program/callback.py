"""Calling Python from code that XLA has compiled.

XLA's custom calls take the address of a C function, and `ctypes` makes one of a Python
function. So the whole loop over time stays one compiled computation although Python
code runs in it: a call costs about 1.5 us, against 20 us or more for leaving and
entering compiled code and 50 us for `tf.numpy_function` (which XLA cannot compile at
all).

TensorFlow has no public door to XLA's registry of custom calls; where its library does
not export the door used here (tried: Linux, TensorFlow 2.18 and 2.21), and on GPUs,
`DrivenLoop` does the same work.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import uuid
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.lowering.python_call import StepCall
from nengo_dl.lowering.values import SignalValues
from nengo_dl.program.form import BRIEF_CAPACITY
from nengo_dl.program.interrupts import Dropped, kept
from nengo_dl.program.packing import Packing
from nengo_dl.program.python_round import PythonCalls

_REGISTRY = "_ZN3xla24CustomCallTargetRegistry6GlobalEv"
_REGISTER = (
    "_ZN3xla24CustomCallTargetRegistry8RegisterE"
    "RKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEPvS8_"
)
#: void f(void* out, const void** in, const char* opaque, size_t length, void* status);
#: in C a function may leave the last arguments alone, and each that it takes costs time
_TARGET_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)

Address = int

_NUMBER = ctypes.c_int32
_TWO_ADDRESSES: Any = ctypes.c_void_p * 2
#: two addresses as bytes: reading these takes a third of the time that
#: `ctypes.string_at` takes
_out_at = (ctypes.c_char * ctypes.sizeof(_TWO_ADDRESSES)).from_address
#: the step's number, whether calls before have returned, whether this one has, the call
_Bound = tuple[ctypes.c_int32, ctypes.c_int32, ctypes.c_int32, StepCall]

#: so many places of buffers are kept, a few hundred bytes each
_MANY_PLACES = 256


class _String(ctypes.Structure):
    """A ``std::string`` as libstdc++ lays it out, to be read only."""

    _fields_ = (
        ("data", ctypes.c_char_p),
        ("length", ctypes.c_size_t),
        ("_local", ctypes.c_char * 16),
    )

    def __init__(self, text: bytes) -> None:
        super().__init__(text, len(text))


#: the C functions, which compiled code may call as long as the process lives
_targets: list[Any] = []


@cache
def _door() -> Callable[[str, Any], None] | None:
    """Return what registers a C function with XLA by a name, or None if that fails."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        from tensorflow.compiler.tf2xla.ops import gen_xla_ops

        path = os.path.join(os.path.dirname(tf.__file__), "libtensorflow_cc.so.2")
        library = ctypes.CDLL(path)
        registry, register = library[_REGISTRY], library[_REGISTER]
        assert gen_xla_ops.xla_custom_call_v2
    except (ImportError, OSError, AttributeError):
        return None
    registry.restype = ctypes.c_void_p
    register.restype = None
    string = ctypes.POINTER(_String)
    register.argtypes = [ctypes.c_void_p, string, ctypes.c_void_p, string]

    def add(name: str, target: Any) -> None:
        address = ctypes.cast(target, ctypes.c_void_p)
        register(registry(), _String(name.encode()), address, _String(b"Host"))

    return add


def available(device: str | None) -> bool:
    """Return whether compiled code on a device can call Python."""
    on_gpu = "gpu" in (device or "").lower() or (
        device is None and bool(tf.config.list_physical_devices("GPU"))
    )
    return not on_gpu and _door() is not None


@dataclass
class _Progress:
    """Step number and error, which the handlers of one program share.

    Attributes
    ----------
    first_step : int
        Number of the step before the first of the running chunk.
    error : BaseException or None
        What Python code raised; from then on nothing is called any more.
    """

    first_step: int = 0
    error: BaseException | None = None


class Callbacks:
    """The Python side of one program's calls; they end with it."""

    def __init__(self) -> None:
        self.progress = _Progress()
        self._handlers: list[_Handler] = []
        weakref.finalize(self, _forget, self._handlers)

    @property
    def error(self) -> BaseException | None:
        """What Python code raised in the last chunk."""
        return self.progress.error

    def begin(self, first_step: int) -> None:
        """Prepare for a chunk of steps behind ``first_step``."""
        self.progress.first_step = first_step
        self.progress.error = None

    def interruptible(self, one_step: bool = False) -> AbstractContextManager[None]:
        """Return a context for a run, in which interrupts by the user are not lost.

        Parameters
        ----------
        one_step : bool
            Whether it is a single step, of which nothing counts after an error.
        """
        if not self._handlers:
            return nullcontext()
        if one_step:
            return Dropped(_keep, _Handler)
        return kept((_AtPlaces.call.__code__, _Copying.call.__code__), _keep)

    def add(self, handler: _Handler) -> str:
        """Return the name by which compiled code calls a handler."""
        # another one in each process: what TensorFlow reads from its cache on disk
        # calls a target of the same name with fewer arguments, and computes nonsense
        name = f"nengo_dl_python_{uuid.uuid4().hex}"
        # one C function for each: to find the handler by a key takes 0.2 us a call
        target = _TARGET_TYPE(handler.call)
        register = _door()
        assert register is not None  # see `available`
        register(name, target)
        _targets.append(target)
        self._handlers.append(handler)
        return name


@dataclass
class CompiledCalls:
    """Lets compiled code call Python, in one step that is being traced.

    Attributes
    ----------
    callbacks : Callbacks
        The Python side.
    i : tf.Tensor, shape (), int32
        Number of the step within the chunk.
    ok : tf.Tensor, shape (), int32
        Whether all calls so far have returned. Each round needs that of the one before,
        so that XLA keeps their order.
    capacity : int
        Steps that the loop has room for.
    """

    callbacks: Callbacks
    i: tf.Tensor
    ok: tf.Tensor
    capacity: int

    def call(self, calls: PythonCalls, now: SignalValues) -> None:
        """Add a round of calls to the step, and write their results."""
        from tensorflow.compiler.tf2xla.ops import gen_xla_ops

        arguments = calls.arguments(now)
        flat = [tensor for own in arguments for tensor in own]
        results = Packing(tuple(calls.shapes))
        kind = _Copying if self.capacity <= BRIEF_CAPACITY else _AtPlaces
        handler = kind(
            self.callbacks.progress,
            calls,
            [tuple(tensor.shape) for tensor in flat],
            [len(own) for own in arguments],
            results,
            np.dtype(now.dtype.as_numpy_dtype),
        )
        vector, self.ok = gen_xla_ops.xla_custom_call_v2(
            # vectors have one memory layout only
            operands=[self.i, self.ok, *(tf.reshape(t, [-1]) for t in flat)],
            call_target_name=self.callbacks.add(handler),
            backend_config="",
            has_side_effect=True,
            result_dtypes=[now.dtype, tf.int32],
            # an empty result would have no memory to point to
            result_shapes=[tf.TensorShape([max(results.size, 1)]), tf.TensorShape([])],
        )
        calls.store(now, results.split(vector))


def _keep(error: BaseException, handler: _Handler) -> None:
    """Keep what was raised before a handler's first statement; the loop ends by it."""
    handler.progress.error = error


def _forget(handlers: Sequence[_Handler]) -> None:
    """Let go of what handlers call: they live as long as the process, by `_targets`."""
    for handler in handlers:
        vars(handler).clear()


@dataclass
class _Handler:
    """The Python function that compiled code calls for one round of calls."""

    progress: _Progress
    calls: PythonCalls
    shapes: Sequence[tuple[int, ...]]
    counts: Sequence[int]
    results: Packing
    dtype: np.dtype

    def __post_init__(self) -> None:
        self._addresses: Any = ctypes.c_void_p * (2 + len(self.shapes))
        self._inputs_at = (ctypes.c_char * ctypes.sizeof(self._addresses)).from_address

    def call(self, out: Address, inputs: Address) -> None:
        """Read the arguments where XLA has them, write the results where it wants."""
        raise NotImplementedError

    def _fail(self, error: BaseException, out: Address) -> None:
        """Keep what was raised, and tell compiled code that the call did not return.

        An interrupt may come anywhere, and is no error of the function's.
        """
        self.progress.error = error
        _, done = _TWO_ADDRESSES.from_address(out)
        _NUMBER.from_address(done).value = 0


@dataclass
class _AtPlaces(_Handler):
    """Read and write in place: a loop over many steps has its buffers in few places."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._sizes = [math.prod(shape) for shape in self.shapes]
        #: what is called, by the addresses of arguments and results as XLA gives them
        self._bound: dict[bytes, _Bound] = {}

    def call(self, out: Address, inputs: Address) -> None:
        """Call what is bound to the places of this call."""
        try:
            addresses = _out_at(out).raw + self._inputs_at(inputs).raw
            bound = self._bound.get(addresses)
            i, ok, done, call = bound or self._bind(addresses, out, inputs)
            progress = self.progress
            if ok.value and progress.error is None:
                call(progress.first_step + i.value + 1)
                done.value = 1
            else:
                done.value = 0
        except BaseException as error:
            self._fail(error, out)

    def _bind(self, addresses: bytes, out: Address, inputs: Address) -> _Bound:
        """Return numbers and arrays that stand where XLA has them, and what uses them.

        A loop has its buffers in the same few places in every step. Each call of the
        loop has others, so these are forgotten before there are too many.
        """
        if len(self._bound) >= _MANY_PLACES:
            self._bound.clear()
        result, done = _TWO_ADDRESSES.from_address(out)
        i, ok, *given = self._addresses.from_address(inputs)
        arguments = [
            _memory(place, size, self.dtype).reshape(shape)
            for place, size, shape in zip(given, self._sizes, self.shapes, strict=True)
        ]
        results = self.results.views(_memory(result, self.results.size, self.dtype))
        found = self._bound[addresses] = (
            _NUMBER.from_address(i),
            _NUMBER.from_address(ok),
            _NUMBER.from_address(done),
            self.calls.bind(arguments, self.counts, results),
        )
        return found


@dataclass
class _Copying(_Handler):
    """Copy arguments and results from and to memory that is always the same.

    A call of ``step()`` has its buffers anywhere, and to bind arrays to them takes
    longer than the step.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments = [np.zeros(shape, self.dtype) for shape in self.shapes]
        results = np.zeros(self.results.size, self.dtype)
        views = self.results.views(results)
        self._call = self.calls.bind(arguments, self.counts, views)
        # the addresses of the arrays are no longer theirs without them
        self._arrays = [*arguments, results]
        self._places = [(a.ctypes.data, a.nbytes) for a in arguments]
        self._results = results.ctypes.data, results.nbytes

    def call(self, out: Address, inputs: Address) -> None:
        """Copy the arguments, call, and copy the results."""
        try:
            result, done = _TWO_ADDRESSES.from_address(out)
            i, ok, *given = self._addresses.from_address(inputs)
            finished = _NUMBER.from_address(done)
            finished.value = 0
            progress = self.progress
            if _NUMBER.from_address(ok).value and progress.error is None:
                for (place, size), address in zip(self._places, given, strict=True):
                    ctypes.memmove(place, address, size)
                self._call(progress.first_step + _NUMBER.from_address(i).value + 1)
                ctypes.memmove(result, *self._results)
                finished.value = 1
        except BaseException as error:
            self._fail(error, out)


def _memory(address: Address, size: int, dtype: np.dtype) -> np.ndarray:
    """Return memory as an array, shape (size,)."""
    if size == 0:
        return np.zeros(0, dtype)
    buffer: Any = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
    return np.frombuffer(buffer, dtype)

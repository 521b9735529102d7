"""What the code of a function can see: global names, attributes, imported modules."""

from __future__ import annotations

import dis
import functools
import importlib.util
import sys
import types
from collections.abc import Iterator

#: with these a function sees more than its code tells
_SEE_ALL = {"eval", "exec", "globals", "__import__"}
_SEE_CALLERS = {"_getframe", "currentframe"}

#: with these a function may use attributes whose names are not in its code
_LOOK_UP = {
    "vars",
    "dir",
    "__dict__",
    "__getattribute__",
    "attrgetter",
    "methodcaller",
    "getmembers",
    "getattr_static",
}

#: the same, unless the name is a text in the code: ``getattr(settings, "scale")``
_BY_TEXT = {"getattr", "hasattr", "setattr", "delattr"}

#: what puts one value on Python's stack
_LOADS = {"LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME"}

#: how functions and methods are called, from Python 3.10 on
_CALLS = ("PRECALL", "CALL", "CALL_METHOD", "CALL_FUNCTION")

#: how global names are read and written; what is written shall be noticed, too
_GLOBAL = (
    "LOAD_GLOBAL",
    "LOAD_NAME",
    "LOAD_FROM_DICT_OR_GLOBALS",
    "STORE_GLOBAL",
    "DELETE_GLOBAL",
)

#: names by which code reads the variables of the process
_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}


@functools.lru_cache(maxsize=256)
def global_names(code: types.CodeType) -> frozenset[str]:
    """Return the global names that a function uses.

    Attributes have names, too, which may be those of globals that it does not use.
    """
    found = {i.argval for i in _instructions(code) if i.opname in _GLOBAL}
    return frozenset(found)


@functools.lru_cache(maxsize=256)
def attribute_names(code: types.CodeType) -> frozenset[str] | None:
    """Return names that a function may use as attributes; None if it may use any.

    Texts count as well, for ``getattr(settings, "scale")``.
    """
    found: set[str] = set()
    for inner in _codes(code):
        if _BY_TEXT & set(inner.co_names) and _looks_up(inner):
            return None
        found.update(inner.co_names)
        found.update(*(text.split(".") for text in _texts(inner.co_consts)))
    return None if found & _LOOK_UP else frozenset(found)


def _looks_up(code: types.CodeType) -> bool:
    """Return whether code gets an attribute whose name is not a text in it."""
    steps = [s for s in _instructions(code, deep=False) if s.opname != "PUSH_NULL"]
    for i, step in enumerate(steps):
        if step.argval in _BY_TEXT and step.opname.startswith("LOAD_"):
            after = steps[i + 1 :]
            if not after or after[0].opname not in _LOADS:
                return True
            # an object, or an attribute of it, and then the name
            name = next((s for s in after[1:] if s.opname != "LOAD_ATTR"), step)
            if name.opname != "LOAD_CONST" or not isinstance(name.argval, str):
                return True
    return False


def sees_all(function: types.FunctionType) -> bool:
    """Return whether a function may use names that are nowhere in its code."""
    code = function.__code__
    if global_names(code) & _SEE_ALL - function.__globals__.keys():
        return True
    return any(_SEE_CALLERS & set(inner.co_names) for inner in _codes(code))


def reads_environment(code: types.CodeType) -> bool:
    """Return whether a function may read the environment variables of the process."""
    return any(_ENVIRONMENT & set(inner.co_names) for inner in _codes(code))


def imported(function: types.FunctionType) -> list[types.ModuleType | None] | None:
    """Return the modules that a function imports when it is called.

    Those that nobody has imported so far are None; nothing at all is returned where the
    name of a module is not in the code.
    """
    own = _package(function)
    found = []
    for name, level in _imports(function.__code__):
        if name is None:
            return None
        if level:
            try:
                name = importlib.util.resolve_name("." * level + name, own)
            except ImportError:  # no package: the call will fail
                return None
        found.append(sys.modules.get(name))
    return found


def _package(function: types.FunctionType) -> str:
    """Return the package that relative imports of a function start from."""
    names = function.__globals__
    if names.get("__package__") is not None:
        return str(names["__package__"])
    name = str(names.get("__name__", ""))
    return name if "__path__" in names else name.rpartition(".")[0]


@functools.lru_cache(maxsize=256)
def _imports(code: types.CodeType) -> tuple[tuple[str | None, int], ...]:
    """Return the names of imported modules, and how many packages up they begin.

    ``importlib.import_module`` and ``sys.modules`` import, too: None stands for a name
    that is known only when the function is called.
    """
    found: dict[tuple[str | None, int], None] = {}
    for inner in _codes(code):
        steps = list(_instructions(inner, deep=False))
        of_sys = {"sys", "modules"} <= set(inner.co_names)
        for i, step in enumerate(steps):
            if step.opname == "IMPORT_NAME":
                level = steps[i - 2].argval if i >= 2 else 0
                found[step.argval, level if isinstance(level, int) else 0] = None
            elif step.opname in ("IMPORT_FROM", "STORE_FAST", "STORE_NAME"):
                continue
            elif step.argval == "import_module":
                found[_text_before(steps[i + 1 :], _CALLS), 0] = None
            elif step.argval == "modules" and of_sys:
                read = ("BINARY_SUBSCR", "BINARY_OP")
                found[_text_before(steps[i + 1 :], read), 0] = None
    return tuple(found)


def _text_before(steps: list[dis.Instruction], ends: tuple[str, ...]) -> str | None:
    """Return the text that is the only argument of what comes next, if it is one."""
    steps = [step for step in steps[:4] if step.opname != "PUSH_NULL"]
    if len(steps) < 2 or steps[1].opname not in ends:
        return None
    text = steps[0].argval
    constant = steps[0].opname == "LOAD_CONST" and isinstance(text, str)
    return text if constant and not text.startswith(".") else None


def _instructions(code: types.CodeType, deep: bool = True) -> Iterator[dis.Instruction]:
    for inner in _codes(code) if deep else (code,):
        for step in dis.get_instructions(inner):
            if step.opname not in ("EXTENDED_ARG", "CACHE"):
                yield step


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a function's code, and that of the functions and classes within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _texts(constants: object) -> Iterator[str]:
    """Yield texts, also those in tuples and sets."""
    if isinstance(constants, str):
        yield constants
    elif isinstance(constants, tuple | frozenset):
        for constant in constants:
            yield from _texts(constant)

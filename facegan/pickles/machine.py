"""A reader of pickles that calls nothing and imports nothing.

Python's own unpickler can be kept from looking names up, but still calls what it is given, and allocates what
a file declares. This one is a small machine of its own: a name that a pickle refers to becomes a ``Name``,
what a pickle would call becomes a ``Stub`` with its arguments and state, and only the constructors of
``CALLS`` are known: plain containers, tensors and arrays, whose shapes are checked against the bytes that are
there before anything is allocated.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from facegan.errors import ModelError, first_line
from facegan.pickles.calls import CALLS, Context
from facegan.pickles.objects import Name, NumpyType, Stub, UnfinishedArray

MAX_LINE = 1 << 20  # bytes of an argument that ends with its line
_RENAMED = (("__builtin__.", "builtins."), ("numpy._core.", "numpy.core."))


class Reader:
    """A file in memory from which no more can be read than there is."""

    def __init__(self, content: bytes | memoryview, place: int = 0) -> None:
        self.content, self.place = memoryview(content), place

    def read(self, count: int) -> bytes:
        if count < 0 or count > len(self.content) - self.place:
            raise ModelError("it ends too early")
        self.place += count
        return bytes(self.content[self.place - count : self.place])

    def readline(self) -> bytes:
        part = bytes(self.content[self.place : self.place + MAX_LINE])
        end = part.find(b"\n") + 1
        if not end:
            raise ModelError("it ends too early, or has a line without end")
        self.place += end
        return part[:end]

    def tell(self) -> int:
        return self.place


class Machine:
    """Runs one pickle. Make one for each: :func:`unpickle`."""

    def __init__(
        self,
        reader: Reader,
        context: Context,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self.reader, self.context, self._persistent = reader, context, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return what the pickle holds; the reader stands behind it."""
        try:
            for opcode, argument, _ in pickletools.genops(cast(BinaryIO, self.reader)):
                self.context.spend(1)
                if opcode.name == "STOP":
                    return _finished(self.stack.pop())
                OPCODES[opcode.name](self, argument)
        except ModelError:
            raise
        except KeyError as error:
            raise ModelError(f"a pickle that cannot be followed ({first_line(error)})") from None
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error) as error:
            raise ModelError(f"a damaged pickle ({first_line(error)})") from None
        raise ModelError("a pickle without an end")

    def call(self, what: Any, args: Any) -> Any:
        """Return what a known constructor makes of the arguments, or a stand-in that keeps them."""
        if not isinstance(args, tuple):
            raise ModelError("a call without arguments")
        name = str(what) if isinstance(what, Name) else ""
        for old, new in _RENAMED:
            name = new + name[len(old) :] if name.startswith(old) else name
        if name in CALLS:
            return CALLS[name](self.context, tuple(_finished(arg) for arg in args))
        if name == "torch._tensor._rebuild_from_type_v2" and len(args) == 4:  # a subclass of Tensor
            return self.call(args[0], args[2])
        if name == "copyreg._reconstructor" or name == "copy_reg._reconstructor":
            return Stub(args[0], args[2:])
        return Stub(what, args)

    # Opcodes
    # ----------------------------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def marked(self) -> list[Any]:
        """Pop and return what has been pushed since the last mark."""
        place = self.marks.pop()
        found = self.stack[place:]
        del self.stack[place:]
        return found

    def top(self) -> Any:
        """Return the object at the top, which opcodes fill."""
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise ModelError("a pickle that fills nothing")
        return self.stack[-1]

    def global_(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.push(Name(module, name))

    def stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ModelError("a name that is no text")
        self.push(Name(module, name))

    def reduce(self, _: Any) -> None:
        args = self.stack.pop()
        self.push(self.call(self.stack.pop(), args))

    def new_object(self, _: Any) -> None:
        args = self.stack.pop()
        self.push(self.call(self.stack.pop(), args))

    def new_object_ex(self, _: Any) -> None:
        keywords, args, kind = self.stack.pop(), self.stack.pop(), self.stack.pop()
        made = self.call(kind, args)
        if isinstance(made, Stub) and isinstance(keywords, dict):
            made.pairs.update(keywords)
        self.push(made)

    def instance(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.push(self.call(Name(module, name), tuple(self.marked())))

    def object_(self, _: Any) -> None:
        kind, *args = self.marked()
        self.push(self.call(kind, tuple(args)))

    def build(self, _: Any) -> None:
        state, target = self.stack.pop(), self.top()
        if isinstance(target, Stub):
            target.state = _finished(state)
        elif isinstance(target, NumpyType):
            target.big_endian = isinstance(state, tuple) and len(state) > 1 and state[1] == ">"
        elif isinstance(target, UnfinishedArray):
            if not isinstance(state, tuple) or len(state) != 5:
                raise ModelError("an array of an unknown form")
            target.stored = self.context.array(state[4], state[2], state[1], fortran=state[3] is True)
        # What is set on plain containers (the _metadata of a state dict) and tensors is of no use here.

    def append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def appends(self, _: Any) -> None:
        self._extend(self.marked())

    def _extend(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Stub):
            target.items += map(_finished, values)
        elif isinstance(target, list):
            target += map(_finished, values)
        elif isinstance(target, set):
            target.update(self.context.key(_finished(value)) for value in values)
        else:
            raise ModelError(f"a pickle that appends to {type(target).__name__}")

    def set_item(self, _: Any) -> None:
        value = self.stack.pop()
        self._set([self.stack.pop(), value])

    def set_items(self, _: Any) -> None:
        self._set(self.marked())

    def _set(self, values: list[Any]) -> None:
        target = self.top()
        table = target.pairs if isinstance(target, Stub) else target
        if not isinstance(table, dict):
            raise ModelError(f"a pickle that sets keys of {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            table[self.context.key(_finished(key))] = _finished(value)

    def dict_(self, _: Any) -> None:
        values = self.marked()
        self.push({})
        self._set(values)

    def tuple_(self, count: int) -> None:
        if len(self.stack) < count:
            raise ModelError("a pickle that takes more than there is")
        parts = tuple(map(_finished, self.stack[len(self.stack) - count :]))
        del self.stack[len(self.stack) - count :]
        self.push(parts)

    def remember(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise ModelError("a pickle that refers to what it has not made")
        self.push(self.memo[place])

    def persistent(self, reference: Any) -> None:
        if self._persistent is None:
            raise ModelError("a pickle that refers to something outside of it")
        self.push(self._persistent(reference))


def _finished(value: Any) -> Any:
    """Return a NumPy array as the tensor that it is."""
    if isinstance(value, UnfinishedArray):
        if value.stored is None:
            raise ModelError("an array without content")
        return value.stored
    return value


def _refused(machine: Machine, _: Any) -> None:
    raise ModelError("a pickle with codes or buffers that are kept elsewhere")


def _constant(value: Any) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.push(value)


_ARGUMENTS = (
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES "
    "BINBYTES8 BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 FLOAT BINFLOAT"
)
OPCODES: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(_ARGUMENTS.split(), Machine.push),
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"), _refused),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.recall),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": lambda machine, _: machine.stack.pop() if machine.stack else None,
    "POP_MARK": lambda machine, _: machine.marked(),  # type: ignore[dict-item]
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "LIST": lambda machine, _: machine.push([_finished(value) for value in machine.marked()]),
    "TUPLE": lambda machine, _: machine.push(tuple(map(_finished, machine.marked()))),
    "TUPLE1": lambda machine, _: machine.tuple_(1),
    "TUPLE2": lambda machine, _: machine.tuple_(2),
    "TUPLE3": lambda machine, _: machine.tuple_(3),
    "FROZENSET": lambda machine, _: machine.push(frozenset(map(machine.context.key, machine.marked()))),
    "DICT": Machine.dict_,
    "APPEND": Machine.append,
    "APPENDS": Machine.appends,
    "ADDITEMS": Machine.appends,
    "SETITEM": Machine.set_item,
    "SETITEMS": Machine.set_items,
    "GLOBAL": Machine.global_,
    "STACK_GLOBAL": Machine.stack_global,
    "REDUCE": Machine.reduce,
    "BUILD": Machine.build,
    "INST": Machine.instance,
    "OBJ": Machine.object_,
    "NEWOBJ": Machine.new_object,
    "NEWOBJ_EX": Machine.new_object_ex,
    "PERSID": Machine.persistent,
    "BINPERSID": lambda machine, _: machine.persistent(machine.stack.pop()),
}
"""Every opcode of protocols 0 to 5, by the names of :mod:`pickletools`."""

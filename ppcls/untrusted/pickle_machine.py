"""The stack machine that a pickle is a program for, without the instructions that could run anything.

Python's own has no bounds, imports whatever a pickle names, and calls it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from ppcls.untrusted.limits import MAX_NAME, Stream
from ppcls.untrusted.pickle_stand_ins import (
    Allowed,
    Changeable,
    Inert,
    Names,
    add,
    is_inert,
    put,
)
from ppcls.untrusted.pickle_values import VALUES, read_number, unsigned
from ppcls.untrusted.refusals import Damaged, Refused, permit, require, shown
from ppcls.utils.errors import translated

_LATEST_PROTOCOL = 5
# In steps: what takes longer or more memory than an instruction on average does
_SET_COST = 8
_CALL_COST = 8


class Machine:
    """Runs one pickle.

    Args:
        stream: Where the pickle begins; afterwards, where it ends.
        names: What to use for each allowed name, by module and name.
        persistent_load: What to use for an object that the pickle names by a persistent id.
    """

    def __init__(
        self, stream: Stream, names: Names, persistent_load: Callable[[Any], Any]
    ) -> None:
        self.stream = stream
        self.names = names
        self.persistent_load = persistent_load
        self.stack: list[Any] = []
        self.stacks_below_marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.found: dict[tuple[str, str], Any] = {}

    def run(self) -> Any:
        """Runs the pickle to its end and returns its value, which consists of plain containers and stand-ins.

        Raises:
            Refused: it asks for anything else.
            Damaged: its instructions contradict one another.
            ValueError: a number or a text in it is invalid.
        """
        with translated(
            IndexError, lambda error: Damaged("an instruction has no operand")
        ):
            return self._run()

    def _run(self) -> Any:
        stream = self.stream
        read, step = stream.file.read, stream.meter.step
        while True:
            code = read(1)
            step()
            read_value = VALUES.get(code)
            if read_value is not None:
                self.stack.append(read_value(stream))
                continue
            if code == pickle.STOP:
                return self.stack.pop()
            instruction = _INSTRUCTIONS.get(code)
            if instruction is not None:
                instruction(self)
            elif code:
                raise Damaged(f"an unknown instruction {code!r}")
            else:
                raise Damaged("it ends before its last instruction")

    def find(self, module: Any, name: Any) -> Allowed | Inert:
        """What to use for a name.

        Raises:
            Refused: the name is neither allowed nor harmless.
        """
        require(type(module) is str and type(name) is str, "a name that is not text")
        found = self.found.get((module, name))
        if found is None:
            # Before a long name is copied: a short pickle can ask for it again and again
            permit(
                len(module) + len(name) <= MAX_NAME, f"{shown(module)}.{shown(name)}"
            )
            found = self._look_up(module, name)
            self.found[module, name] = found
        return found

    def _look_up(self, module: str, name: str) -> Allowed | Inert:
        home = module.replace("numpy._core.", "numpy.").replace("numpy.core.", "numpy.")
        home = home.replace("__builtin__", "builtins")
        call = self.names.get(f"{home}.{name}")
        if call is not None:
            return Allowed(name, call, self.stream.meter)
        if is_inert(module, name):
            return Inert(f"{module}.{name}")
        raise Refused(f"{shown(module)}.{shown(name)}")

    def call(self, function: Any, arguments: Any) -> Any:
        """What a call gives.

        Raises:
            Refused: the function may be named and not called.
            Damaged: it is not a function, or has too many arguments.
        """
        self.stream.meter.step(_CALL_COST)
        if isinstance(function, Inert):
            return function
        require(
            isinstance(function, Allowed) and isinstance(arguments, tuple),
            f"a call of something of type {type(function).__name__}",
        )
        return function(arguments)

    def make(self, cls: Any) -> Inert:
        """An object of a class of other software; its arguments are not looked at.

        Raises:
            Damaged: it is not a class.
        """
        require(
            isinstance(cls, Inert),
            f"an object made of something of type {type(cls).__name__}",
        )
        return cls

    def pop_mark(self) -> list[Any]:
        """Removes everything above the last mark, and the mark, and returns it."""
        items = self.stack
        self.stack = self.stacks_below_marks.pop()
        return items

    def pop(self, count: int) -> list[Any]:
        """Removes and returns the uppermost values, the lowest first."""
        require(len(self.stack) >= count, "an instruction has too few operands")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def recall(self, index: int) -> None:
        """Pushes an entry of the memo."""
        require(index in self.memo, f"entry {index} of its memo is missing")
        self.stack.append(self.memo[index])


def _mark(machine: Machine) -> None:
    machine.stacks_below_marks.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _pop_mark(machine: Machine) -> None:
    machine.pop_mark()


def _duplicate(machine: Machine) -> None:
    machine.stack.append(machine.stack[-1])


def _protocol(machine: Machine) -> None:
    number = unsigned(machine.stream, 1)
    require(number <= _LATEST_PROTOCOL, f"a pickle of protocol {number}")


def _frame(machine: Machine) -> None:
    # Its length is for reading ahead, which is not done here
    machine.stream.check(unsigned(machine.stream, 8))


def _refuse(what: str) -> Callable[[Machine], None]:
    def refuse(machine: Machine) -> None:
        raise Refused(what)

    return refuse


def _extension(size: int) -> Callable[[Machine], None]:
    def refuse(machine: Machine) -> None:
        number = unsigned(machine.stream, size)
        raise Refused(f"the registered extension {number}")

    return refuse


def _put(size: int) -> Callable[[Machine], None]:
    def remember(machine: Machine) -> None:
        machine.memo[unsigned(machine.stream, size)] = machine.stack[-1]

    return remember


def _put_decimal(machine: Machine) -> None:
    machine.memo[int(read_number(machine.stream))] = machine.stack[-1]


def _memoize(machine: Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _get(size: int) -> Callable[[Machine], None]:
    return lambda machine: machine.recall(unsigned(machine.stream, size))


def _get_decimal(machine: Machine) -> None:
    machine.recall(int(read_number(machine.stream)))


def _tuple(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.stack.append(tuple(items))


def _tuple_of_one(machine: Machine) -> None:
    machine.stack[-1] = (machine.stack[-1],)


def _short_tuple(count: int) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(tuple(machine.pop(count)))


def _list(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.stack.append(items)


def _dictionary(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.stack.append(put({}, items))


def _set(machine: Machine) -> None:
    machine.stream.meter.step(_SET_COST)
    machine.stack.append(set())


def _append(machine: Machine) -> None:
    item = machine.stack.pop()
    _extend(machine, [item])


def _appends(machine: Machine) -> None:
    _extend(machine, machine.pop_mark())


def _extend(machine: Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Inert):
        return
    permit(type(target) is list, f"items in an object of type {type(target).__name__}")
    target.extend(items)


def _set_item(machine: Machine) -> None:
    items = machine.pop(2)
    put(machine.stack[-1], items)


def _set_items(machine: Machine) -> None:
    items = machine.pop_mark()
    put(machine.stack[-1], items)


def _add_items(machine: Machine) -> None:
    items = machine.pop_mark()
    add(machine.stack[-1], items)


def _build(machine: Machine) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    permit(
        isinstance(target, Changeable),
        f"a change of an object of type {type(target).__name__}",
    )
    target.set_state(state)


def _global(machine: Machine) -> None:
    module, name = machine.stream.read_line(), machine.stream.read_line()
    machine.stack.append(machine.find(module.decode(), name.decode()))


def _stack_global(machine: Machine) -> None:
    module, name = machine.pop(2)
    machine.stack.append(machine.find(module, name))


def _reduce(machine: Machine) -> None:
    function, arguments = machine.pop(2)
    machine.stack.append(machine.call(function, arguments))


def _instance(machine: Machine) -> None:
    module, name = machine.stream.read_line(), machine.stream.read_line()
    arguments = machine.pop_mark()
    found = machine.find(module.decode(), name.decode())
    machine.stack.append(machine.call(found, tuple(arguments)))


def _object(machine: Machine) -> None:
    function, *arguments = machine.pop_mark()
    machine.stack.append(machine.call(function, tuple(arguments)))


def _new_object(machine: Machine) -> None:
    cls, _ = machine.pop(2)
    machine.stack.append(machine.make(cls))


def _new_object_with_keywords(machine: Machine) -> None:
    cls, _, _ = machine.pop(3)
    machine.stack.append(machine.make(cls))


def _persistent_id(machine: Machine) -> None:
    machine.stream.meter.step(_CALL_COST)
    named = machine.stack.pop()
    machine.stack.append(machine.persistent_load(named))


def _persistent_id_in_text(machine: Machine) -> None:
    named = machine.stream.read_line().decode()
    machine.stack.append(machine.persistent_load(named))


_INSTRUCTIONS: dict[bytes, Callable[[Machine], None]] = {
    pickle.PROTO: _protocol,
    pickle.FRAME: _frame,
    pickle.MARK: _mark,
    pickle.POP: _pop,
    pickle.POP_MARK: _pop_mark,
    pickle.DUP: _duplicate,
    pickle.PUT: _put_decimal,
    pickle.BINPUT: _put(1),
    pickle.LONG_BINPUT: _put(4),
    pickle.MEMOIZE: _memoize,
    pickle.GET: _get_decimal,
    pickle.BINGET: _get(1),
    pickle.LONG_BINGET: _get(4),
    pickle.TUPLE: _tuple,
    pickle.TUPLE1: _tuple_of_one,
    pickle.TUPLE2: _short_tuple(2),
    pickle.TUPLE3: _short_tuple(3),
    pickle.LIST: _list,
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.DICT: _dictionary,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: _set_items,
    pickle.EMPTY_SET: _set,
    pickle.ADDITEMS: _add_items,
    pickle.FROZENSET: _refuse("an object of type frozenset"),
    pickle.GLOBAL: _global,
    pickle.STACK_GLOBAL: _stack_global,
    pickle.REDUCE: _reduce,
    pickle.INST: _instance,
    pickle.OBJ: _object,
    pickle.NEWOBJ: _new_object,
    pickle.NEWOBJ_EX: _new_object_with_keywords,
    pickle.BUILD: _build,
    pickle.PERSID: _persistent_id_in_text,
    pickle.BINPERSID: _persistent_id,
    pickle.EXT1: _extension(1),
    pickle.EXT2: _extension(2),
    pickle.EXT4: _extension(4),
    pickle.NEXT_BUFFER: _refuse("a buffer that is not in the file"),
    pickle.READONLY_BUFFER: _refuse("a buffer that is not in the file"),
}

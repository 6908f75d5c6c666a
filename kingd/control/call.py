"""One Varlink call as it arrives: bytes in, a `Call` out, or the reason why it is none.

Two kinds of mistake. `Garbage`: these bytes are not Varlink, so nothing can be answered and the connection ends.
`CallError`: a call that was understood and is refused with a Varlink error. Knows the methods' names and parameters,
not what they do.
"""

from collections.abc import Callable, Mapping

from kingd.control.service import JsonObject
from kingd.records import dataclass, field

_NAME_MAX = 64
WORDS_MAX = 200
MESSAGE_SIZE_MAX = 4096  # our longest real call has some hundred bytes; to read more costs the election time


class Garbage(Exception):
    """Not a Varlink call. The text says what it is instead."""


class CallError(Exception):
    """Answered by the Varlink error `name`."""

    def __init__(self, name: str, parameters: JsonObject) -> None:
        super().__init__(name)
        self.name = name
        self.parameters = parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of a client."""

    interface: str
    method: str
    parameters: JsonObject
    more: bool
    oneway: bool


def parse(raw: bytes) -> Call:
    message = _object(raw)
    name = message.get("method")
    if not isinstance(name, str):
        raise Garbage("no method is named")
    flags = {key: message.get(key) or False for key in ("more", "oneway", "upgrade")}
    if any(not isinstance(value, bool) for value in flags.values()):
        raise Garbage("a flag is not a boolean")
    if flags["more"] and flags["oneway"]:
        raise Garbage("both more and oneway")
    parameters = message.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise Garbage("the parameters are not an object")
    interface, _, method = name.rpartition(".")
    return Call(
        interface=interface,
        method=method,
        parameters=parameters or {},
        more=bool(flags["more"]),
        oneway=bool(flags["oneway"]),
    )


def _object(raw: bytes) -> JsonObject:
    import json  # the first call pays for it, and no start

    try:
        # Decoded here: json.loads would guess UTF-16 and UTF-32 as well. RecursionError: thousands of brackets.
        message: object = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise Garbage("not JSON") from None
    if not isinstance(message, dict):
        raise Garbage("not a JSON object")
    return message


def is_int(value: object) -> bool:
    return type(value) is int and -(1 << 63) <= value < 1 << 63  # a bool is no number, and Varlink's int has 64 bits


def is_string(value: object) -> bool:
    return isinstance(value, str)


def is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _NAME_MAX and value.isprintable()


def is_name_or_null(value: object) -> bool:
    return value is None or is_name(value)


def is_bool(value: object) -> bool:
    return isinstance(value, bool)


def is_int_or_null(value: object) -> bool:
    return value is None or is_int(value)


def is_words_or_null(value: object) -> bool:
    """One line for people."""
    return value is None or (isinstance(value, str) and len(value) <= WORDS_MAX and value.isprintable())


def is_string_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """`privileged`: changes state, so not for everyone; `privileged_with`: only if that parameter is given. `streams`: must be
    called with `more`; `pushes`: and the service itself writes. `lasts`: its answer comes later."""

    parameters: Mapping[str, Callable[[object], bool]] = field(default_factory=dict)
    privileged: bool = False
    privileged_with: str = ""
    streams: bool = False
    pushes: bool = False
    lasts: bool = False


METHODS: Mapping[str, Mapping[str, Method]] = {
    "org.kingd": {
        "Status": Method(),
        "Members": Method(),
        "History": Method(),
        "Counters": Method(),
        "Survey": Method(lasts=True),
        "Examine": Method(parameters={"for_ms": is_int}, privileged=True),
        "Examined": Method(parameters={"run": is_name}),
        "Histories": Method(lasts=True),
        "Watch": Method(streams=True),
        "Drain": Method(parameters={"name": is_name}, privileged=True, streams=True),
        "Hold": Method(parameters={"name": is_name_or_null}, privileged_with="name", streams=True, pushes=True),
        "Drained": Method(parameters={"name": is_name}, privileged=True),
        "StepDown": Method(parameters={"to": is_string_or_null, "for_ms": is_int}, privileged=True, lasts=True),
        "SetPriority": Method(parameters={"priority": is_int}, privileged=True),
        "SetFitness": Method(
            parameters={"name": is_name, "unfit": is_words_or_null, "for_ms": is_int}, privileged=True
        ),
        "SetMaintenance": Method(
            parameters={"on": is_bool, "for_ms": is_int_or_null, "reason": is_words_or_null},
            privileged=True,
            lasts=True,
        ),
        "Reload": Method(privileged=True),
    },
    "org.varlink.service": {
        "GetInfo": Method(),
        "GetInterfaceDescription": Method(parameters={"interface": is_string}),
    },
}


def look_up(call: Call) -> Method:
    """The method that is called, its parameters checked."""
    interface = METHODS.get(call.interface)
    if interface is None:
        raise CallError("org.varlink.service.InterfaceNotFound", {"interface": call.interface})
    method = interface.get(call.method)
    if method is None:
        raise CallError("org.varlink.service.MethodNotFound", {"method": f"{call.interface}.{call.method}"})
    _check(call.parameters, method)
    if method.streams and not call.more:
        raise CallError("org.varlink.service.ExpectedMore", {})
    return method


def _check(parameters: JsonObject, method: Method) -> None:
    for name in parameters:
        if name not in method.parameters:
            raise CallError("org.varlink.service.InvalidParameter", {"parameter": name})
    for name, is_valid in method.parameters.items():
        if not is_valid(parameters.get(name)):  # one that is missing counts as null
            raise CallError("org.varlink.service.InvalidParameter", {"parameter": name})

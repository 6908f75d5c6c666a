"""A `Call` goes in, the `Service` is asked, the reply's parameters come out. No bytes and no sockets here.

Refusals leave as `CallError`. Any other exception of the service is a bug, and is not caught: the process has to
end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kingd import __version__
from kingd.control.call import METHODS, Call, CallError, Method
from kingd.control.peer import Authority, Peer
from kingd.control.places import Rank
from kingd.control.service import Answer, JsonObject, Push, Service, ServiceError, Tell

STEP_DOWN_MS_MAX = 7 * 24 * 3600 * 1000  # longer than a week is maintenance, not a step-down
MAINTENANCE_MS_MAX = 366 * 24 * 3600 * 1000  # for longer it has no end
FITNESS_MS_MAX = 3600 * 1000  # a word that nobody renews for an hour is none

_INFO: JsonObject = {
    "vendor": "kingd",
    "product": "kingd",
    "version": __version__,
    "url": "",
    "interfaces": sorted(METHODS, reverse=True),  # org.varlink.service first, as everywhere
}


class Dispatcher:
    def __init__(self, service: Service, authority: Authority) -> None:
        self._service = service
        self.authority = authority
        here = Path(__file__).parent
        self._descriptions = {name: (here / f"{name}.varlink").read_text() for name in METHODS}

    def authorise(self, method: Method, call: Call, peer: Peer) -> None:
        needs_rights = method.privileged or call.parameters.get(method.privileged_with) is not None
        if needs_rights and self.authority.rank(peer) is Rank.ANYBODY:
            message = f"{call.method} is for root and the group of control.group: {self.authority.advice()}"
            raise CallError("org.kingd.NotAuthorized", {"message": message})

    def stream(self, call: Call, tell: Tell) -> Callable[[], None]:
        """Begins it; to be called when it is read no more: what is returned."""
        return (
            self._service.drain(_name(call.parameters), tell) if call.method == "Drain" else self._service.watch(tell)
        )

    def hold(self, call: Call, push: Push) -> Callable[[], None]:
        name = call.parameters.get("name")
        assert name is None or isinstance(name, str)  # look_up() checked it
        return self._service.hold(name, push)

    def reply(self, call: Call) -> JsonObject:  # noqa: C901 - the table of methods
        """To a method that is answered at once."""
        if call.interface != "org.kingd":
            return self._introspect(call)
        with _refusals():
            match call.method:
                case "Status":
                    return self._service.status()
                case "Members":
                    return self._service.members()
                case "History":
                    return self._service.history()
                case "Counters":
                    return self._service.counters()
                case "Examine":
                    return self._service.examine(_int(call.parameters["for_ms"]))
                case "Examined":
                    return self._service.examined(str(call.parameters["run"]))
                case "SetPriority":
                    return self._service.set_priority(_int(call.parameters["priority"]))
                case "SetFitness":
                    return self._set_fitness(call.parameters)
                case "Reload":
                    return self._service.reload()
                case "Drained":
                    return self._service.drained(_name(call.parameters))
                case other:
                    raise AssertionError(other)  # look_up() let it pass, so it must be above

    def reply_later(self, call: Call, reply: Callable[[JsonObject | bytes | CallError], None]) -> None:
        """To a method that takes time."""

        def answer(said: JsonObject | bytes | ServiceError) -> None:
            reply(_refusal(said) if isinstance(said, ServiceError) else said)

        with _refusals():
            match call.method:
                case "Survey":
                    self._service.survey(answer)
                case "Histories":
                    self._service.histories(answer)
                case "StepDown":
                    self._step_down(call.parameters, answer)
                case "SetMaintenance":
                    self._set_maintenance(call.parameters, answer)
                case other:
                    raise AssertionError(other)

    def _step_down(self, parameters: JsonObject, answer: Answer) -> None:
        for_ms = _in_range(parameters, "for_ms", STEP_DOWN_MS_MAX, "a week")
        to = parameters.get("to")
        assert to is None or isinstance(to, str)
        self._service.step_down(answer, to=to, for_ms=for_ms)

    def _set_fitness(self, parameters: JsonObject) -> JsonObject:
        for_ms = _in_range(parameters, "for_ms", FITNESS_MS_MAX, "an hour")
        unfit = parameters.get("unfit")
        return self._service.set_fitness(_name(parameters), unfit=str(unfit) if unfit else None, for_ms=for_ms)

    def _set_maintenance(self, parameters: JsonObject, answer: Answer) -> None:
        endless = parameters.get("for_ms") is None
        for_ms = None if endless else _in_range(parameters, "for_ms", MAINTENANCE_MS_MAX, "a year")
        reason = str(parameters.get("reason") or "")
        self._service.set_maintenance(answer, on=parameters["on"] is True, for_ms=for_ms, reason=reason)

    def _introspect(self, call: Call) -> JsonObject:
        if call.method == "GetInfo":
            return _INFO
        name = str(call.parameters["interface"])
        if name not in self._descriptions:
            raise CallError("org.varlink.service.InterfaceNotFound", {"interface": name})
        return {"description": self._descriptions[name]}


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        raise _refusal(error) from error


def _refusal(error: ServiceError) -> CallError:
    return CallError(f"org.kingd.{error.name}", {"message": error.message})


def _int(value: object) -> int:
    assert isinstance(value, int)  # look_up() checked it
    return value


def _in_range(parameters: JsonObject, key: str, most: int, in_words: str) -> int:
    value = _int(parameters[key])
    if not 0 <= value <= most:
        raise ServiceError("OutOfRange", f"{key} is {value}; allowed is 0 to {most} ({in_words})")
    return value


def _name(parameters: JsonObject) -> str:
    name = parameters["name"]
    assert isinstance(name, str)  # look_up() checked it
    return name

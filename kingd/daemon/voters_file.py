"""The list of voters in force, in a file of the state folder. It belongs to the cluster that it names.

In: the file. Out: the list, or none and a sentence for the log. Nothing here knows what a list is for."""

from pathlib import Path

from kingd.core.settings import Voters
from kingd.core.wire.grammar import NAME
from kingd.core.wire.message import Term
from kingd.core.wire.voter_list import GENERATION_NUMBER_MAX, Generation
from kingd.daemon.state_files import read as read_file

FILE = "voters.json"
_FORMAT = 2
_TERM_MAX = 1 << 63


def encode(voters: Voters, cluster: str) -> bytes:
    import json

    term, number = voters.generation
    document = {"format": _FORMAT, "cluster": cluster, "voters": voters.names, "term": term, "number": number}
    return f"{json.dumps(document)}\n".encode()


def read(folder: Path, cluster: str, warnings: list[str]) -> tuple[Voters | None, bytes]:
    """Blocking. The list that was in force in this cluster, and the bytes of the file. None: there was none, or it was removed
    to begin with that of the configuration."""
    try:
        data = read_file(folder / FILE)
        import json  # of a start only if there is such a file

        document = json.loads(data)
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")
        if document.get("cluster", cluster) != cluster:
            return None, b""
        return _voters_of(document), data
    except (FileNotFoundError, NotADirectoryError):
        return None, b""
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        warnings.append(
            f"{folder / FILE} is not believed ({error}): the list of voters is that of the configuration, and this host "
            "votes when enough other voters have told what it may have promised"
        )
        return None, b""


def _voters_of(document: dict[str, object]) -> Voters:
    names, term, number = document["voters"], document["term"], document["number"]
    if not isinstance(names, list) or not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ValueError("a name is missing or wrong")
    if type(term) is not int or not 0 <= term <= _TERM_MAX:
        raise ValueError("its term is out of range")
    if type(number) is not int or not 0 <= number <= GENERATION_NUMBER_MAX:
        raise ValueError("its number is out of range")
    return Voters(tuple(sorted(names)), Generation(Term(term), number))

"""What every test may use: `require`, for what this host may lack. And how tests are run: `--quick`, and beside each other."""

import logging
import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

from kingd import log

# How long an example takes says more about the host than about kingd; pytest-timeout ends what hangs.
settings.register_profile("kingd", deadline=None)
settings.load_profile("kingd")

# Whoever runs the tests by nohup, or in the background of a script, has all that they start ignore what they tell it by.
for _number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
# A Python that buffers nothing hides what is left in the buffer when nobody reads any more.
os.environ.pop("PYTHONUNBUFFERED", None)

_LONGEST_FIRST = ("system", "lan", "sim", "model")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="without what is marked slow, and with one seed of several")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        config.hook.pytest_deselected(items=[item for item in items if not _is_quick(item)])
        items[:] = [item for item in items if _is_quick(item)]
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """What takes longest begins first, so that nobody waits for it at the end."""
    folder = item.nodeid.split("/")[1]
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With several processes (`make test`) a file's tests stay in one; and those of tests/system, which share booted hosts."""
    from xdist.scheduler import LoadScopeScheduling

    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _scope  # noqa: SLF001 - which its documentation has one override
    return scheduler


def _scope(nodeid: str) -> str:
    file = nodeid.split("::")[0]
    return "tests/system" if file.startswith("tests/system/") else file


def _is_quick(item: pytest.Item) -> bool:
    parameters = item.callspec.indices if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return item.get_closest_marker("slow") is None and parameters.get("seed", 0) == 0


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """One that waits for a file by its number waits for another one as soon as that is closed, and keeps it open: a program
    that a later test runs has ended, and its output has not."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert not left, f"still running: {left}"


def require(condition: object, reason: str) -> None:
    """Skip unless `condition`; fail instead with KINGD_REQUIRE_ALL=1, as in CI, so that nothing goes untested there."""
    if condition:
        return
    if os.environ.get("KINGD_REQUIRE_ALL") == "1":
        pytest.fail(f"KINGD_REQUIRE_ALL=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _words_of_ours_go_to_caplog() -> Iterator[None]:
    def write(record: log.Record) -> None:
        logging.getLogger(record.logger).log(
            record.level, "%s", "\n".join(filter(None, [record.message, record.trace]))
        )

    log.write_to(write, level=log.DEBUG)
    yield
    log.write_to(write, level=log.DEBUG)  # whatever the test has set up

"""`python -m tests.golden` writes the traces of tests/golden/*.txt again. Commit one that changed only if you can say why.

After the words of the set-up, each line is: milliseconds, who, to whom, what. `2.box1` is the leadership of box1 under term
2; `= follower 2.box1` is what a host is from then on, `tells:` what its users are told, and `!` what is done to the cluster.
What recorder.py calls routine is written the first time only."""

import inspect
from pathlib import Path

from tests.golden.stories import STORIES, Story

FOLDER = Path(__file__).parent


def trace(story: Story) -> str:
    words = inspect.getdoc(story)
    assert words
    head = "".join(f"# {line}\n" for line in words.splitlines())
    return head + "\n" + "".join(f"{line.rstrip()}\n" for line in story().lines)


def file(name: str) -> Path:
    return FOLDER / f"{name.replace('_', '-')}.txt"


def main() -> None:
    for name, story in STORIES.items():
        file(name).write_text(trace(story))


if __name__ == "__main__":
    main()

"""What a name, a version, a tag and an address look like, in a configuration and on the wire alike.

What others say of themselves ends up on terminals, in logs and in command lines (`ssh "$(kingctl leader)"`): whatever
could be taken for something else there is no name. Nothing begins with a hyphen, for that is an option."""

import re

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}")
NAME_IN_WORDS = "1 to 63 of a-z A-Z 0-9 . _ -, and no . or - at the beginning"
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}")
TAG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}")
TAG_NAME_IN_WORDS = "1 to 32 of a-z A-Z 0-9 . _ -, and no . or - at the beginning"
ADDRESS = re.compile(r"[0-9.]{7,15}|[0-9A-Fa-f:.]{2,45}")
"""Numeric, IPv4 or IPv6, without a scope: never a name that somebody would look up."""

TAG_IN_WORDS = "a string of printable characters, at most 64 bytes, and no - at the beginning"
_TAG_SIZE_MAX = 64


def is_tag(text: str) -> bool:
    return text.isprintable() and not text.startswith("-") and len(text.encode()) <= _TAG_SIZE_MAX

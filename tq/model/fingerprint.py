"""What makes two errors the same: the type, the message without what differs from task to task, and where it happened.

    ConnectTimeout: 'api.example.org' did not answer in 30 s      ConnectTimeout: '*' did not answer in * s
      File "/srv/shop/http.py", line 212, in post             ->  http.py post

Where: the innermost frame of the application's own code in the text of the traceback; not of the standard library, of
installed packages, or of tq, unless there is no other. Of the file only its name counts, since the directory may
be another on each machine; the number of the line is shown and does not count, since any deploy moves it.

All of it comes from outside, and may be made to keep the broker busy: every pattern here takes linear time.

Dead letters are stored with their group: to change a rule is to change the format (tq/engine/tables.py), with a step
that groups them anew.
"""

import re
from hashlib import blake2b

import msgspec

GROUP_BYTES = 8
OTHER_GROUP = bytes(GROUP_BYTES)
"""The group of the dead letters for whose error there was no room."""

TYPE_CHARS_MAX = 200
MESSAGE_CHARS_READ = 1_000
"""What follows in a longer message does not count: it is a dump of something."""
MESSAGE_CHARS_MAX = 200
"""Of a message with masks; what follows does not count either."""
PLACE_CHARS_MAX = 200

MASK = "*"


class Fingerprint(msgspec.Struct, frozen=True):
    """An error, as the dead letters of one group have it.

    `message` has a `*` for what differs, `place` is such as "http.py:212 post()", empty if there is no traceback.
    """

    group: bytes
    error_type: str
    message: str
    place: str


class Frame(msgspec.Struct, frozen=True):
    """A line of a traceback. `file`: its name, without the directory."""

    file: str
    line: str
    function: str

    @property
    def place(self) -> str:
        """Such as "http.py:212 post()"."""
        call = self.function if self.function.startswith("<") else f"{self.function}()"
        return f"{self.file}:{self.line} {call}"[:PLACE_CHARS_MAX]


def fingerprint(error_type: str, message: str, traceback: str) -> Fingerprint:
    """The fingerprint of an error from its words, in any form: they are of the one who reported it."""
    error_type = error_type[:TYPE_CHARS_MAX]
    masked = masked_message(message)
    frame = own_frame(traceback)
    parts = [error_type, masked, *((frame.file, frame.function) if frame is not None else ())]
    # With their lengths, so that no two lists of parts are the same bytes.
    encoded = msgspec.msgpack.encode([part.encode("utf-8", "replace") for part in parts])
    group = blake2b(encoded, digest_size=GROUP_BYTES).digest()
    return Fingerprint(group, error_type, masked, frame.place if frame is not None else "")


# -- the message ----------------------------------------------------------------------------------------------------

_VARYING = re.compile(
    r"""
      (?P<quoted> "[^"]*" | (?<!\w)'[^']*'(?!\w) | `[^`]*` )                # it isn't: an apostrophe is no quote
    | \b[a-z][a-z0-9+.-]{1,19}://[^\s'"<>]+                                 # a URL
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+               # an address of mail
    | (?<![\w.~/-])(?:~|\.{1,2})?/[\w.@~+-][^\s'"()<>,:;]*                  # a path
    | (?<!\w)[a-z]:\\[^\s'"()<>,;]+                                         # one of Windows
    | (?<![\w./-])[\w.-]+(?:/[\w.-]+){2,}                                   # a relative one, of three parts or more
    | (?<=\()[^()]{1,255}(?=,[ ]line[ ]\d{1,9}\))                           # the file that a SyntaxError is about
    | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b      # a UUID
    | \b0x[0-9a-f]+\b
    | \b(?!\d+[^\W\d]{0,3}\b)(?=[a-f]*\d)[0-9a-f]{6,}\b                     # hex with a digit: not "facade", "100000ms"
    | \b(?!\d+[^\W\d]{0,3}\b)(?=[^\W\d]*\d)\w{10,}\b                        # an id: long, and not of letters alone
    | (?:(?<!\w)-)?\d+(?:[.,:]\d+)*                                         # a number, a time, an address of IP
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LIST_OF_MASKS = re.compile(r"""('\*'|"\*"|`\*`|\*)(?:,[ ]?\1)+""")


def masked_message(message: str) -> str:
    """A message on one line, with `*` for numbers, ids, hex, paths, URLs, addresses, and what is in quotes.

    A list of such things is one, so that its length does not count.
    """
    line = " ".join(message[:MESSAGE_CHARS_READ].split())
    masked = _VARYING.sub(_mask, line)
    return _LIST_OF_MASKS.sub(r"\1", masked)[:MESSAGE_CHARS_MAX]


def _mask(found: "re.Match[str]") -> str:
    quoted: str | None = found["quoted"]
    return MASK if quoted is None else f"{quoted[0]}{MASK}{quoted[0]}"


# -- the traceback --------------------------------------------------------------------------------------------------

_FRAME = re.compile(r'[\s|+-]*File "(?P<path>[^"]+)", line (?P<line>\d{1,9}), in (?P<function>.+)')
_NOT_OWN = re.compile(
    r"""
      ^<                                                        # <frozen importlib._bootstrap>, <string>
    | [/\\](?:site|dist)-packages[/\\]
    | [/\\]lib(?:64)?[/\\]python[\d.]+t?[/\\]                   # /usr/lib/python3.11/json/decoder.py
    | [/\\]python\d+[/\\]lib[/\\]                               # C:\Python311\Lib\json\decoder.py
    | [/\\]tq[/\\](?:app|bench|cli|client|config|engine|model|protocol|server|storage|testing|worker)[/\\]\w+\.py$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIRECTORIES = re.compile(r"[/\\]")


def own_frame(traceback: str) -> Frame | None:
    """The innermost frame of the application's own code; of any code if it has none there; None without a traceback.

    Of a chain of exceptions, it is of the last one that has such a frame: that is the one that was reported.
    """
    innermost: Frame | None = None
    for line in reversed(traceback.splitlines()):
        if 'File "' not in line:  # most lines are none
            continue
        match = _FRAME.match(line)
        if match is None:
            continue
        frame = Frame(_file_name(match["path"]), match["line"], match["function"].strip())
        if not _NOT_OWN.search(match["path"]):
            return frame
        innermost = innermost or frame
    return innermost


def _file_name(path: str) -> str:
    """The name of the file; with its directory where only that says which it is."""
    parts = _DIRECTORIES.split(path)
    return "/".join(parts[-2:]) if parts[-1] in ("__init__.py", "__main__.py") else parts[-1]

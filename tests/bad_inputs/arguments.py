"""Bad arguments of any command, and bad lists on standard input."""

from __future__ import annotations

from bad_inputs.arrange import DATA, RUN, Row, with_stdin
from dlcli.core.errors import ExitCode

PARTIAL = ExitCode.PARTIAL
BYTES = bytes(range(256)) * 40

STREAMS = {
    "NUL in one line": Row(f"predict {RUN} -", PARTIAL, "1 of 2", with_stdin("cat.png\nphotos/\0x.png\n"), answers=3),
    "NUL in a pattern": Row(f"predict {RUN} -", PARTIAL, "a NUL", with_stdin("cat.png\n*\0.png\n"), answers=3),
    "names between NULs": Row(f"predict {RUN} -", DATA, "-print0", with_stdin("cat.png\0猫.png\0"), answers=2),
    "bytes of a picture": Row(f"predict {RUN} - --jsonl", DATA, "could be read", with_stdin(BYTES), answers=41),
    "bytes without a line break": Row(
        f"predict {RUN} -", DATA, "a NUL", with_stdin(BYTES.replace(b"\n", b"")), answers=2
    ),
    "list in UTF-16": Row(
        f"predict {RUN} -", DATA, "a NUL", with_stdin("cat.png\n猫.png\n".encode("utf-16")), answers=4
    ),
    "list in GBK": Row(
        f"predict {RUN} -", PARTIAL, "No such", with_stdin("cat.png\n猫.png\n".encode("gbk")), answers=3
    ),
    "name too long": Row(f"predict {RUN} -", PARTIAL, "too long", with_stdin(f"{'x' * 5000}\ncat.png\n"), answers=3),
    "path through a file": Row(f"predict {RUN} -", PARTIAL, "Not a dir", with_stdin("cat.png/a\ncat.png\n"), answers=3),
    "escape codes in a name": Row(
        f"predict {RUN} -", PARTIAL, r"\x1b[31mred", with_stdin("\x1b[31mred\ncat.png\n"), answers=3
    ),
}

ARGUMENTS = {**STREAMS}

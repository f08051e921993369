"""The process that looks into files of strangers, and removes details from them.

`python -m app.contacts.cases.looking MEDIA-TYPE remove|keep MOST-POINTS` reads the file on standard
input. On standard output it writes a line with the warnings about it, separated by commas, and for
`remove` the file without details after that. It ends with CANNOT_REMOVE or TOO_MANY_POINTS if that
is how it is. `details.py` starts it; it has no secret, no network address, and little time and
memory.
"""

import os
import sys

# Seconds for one file; bytes of memory.
WITHIN, MEMORY = 60, 1536 * 1024 * 1024
CANNOT_REMOVE, TOO_MANY_POINTS = 3, 4
REMOVE = "remove"


def _bound() -> None:
    """Give up what this process does not need: memory, time, files, and turns of the processor that
    a phone call needs."""
    import resource

    os.nice(10)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, WITHIN),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _main(media_type: str, act: str, most_points: int) -> int:
    # Loaded first, and no more than is needed.
    from app.contacts.cases import picture_points, suspicions

    if act == REMOVE:
        from app.contacts.cases.removing import removing
    _bound()
    content = sys.stdin.buffer.read()
    warnings: set[str] = set()
    try:
        try:
            picture_points.check_points(content, media_type, most_points)
        except picture_points.TooManyPoints:
            return TOO_MANY_POINTS
        except Exception:
            # A damaged picture may be evidence: it is kept as it came, and flagged.
            if act == REMOVE:
                raise
            warnings.add(suspicions.UNREADABLE)
        made = removing.removed(content, media_type) if act == REMOVE else b""
        warnings |= set(suspicions.suspicions(made or content, media_type))
    except Exception:
        # A file from a stranger can fail in any way.
        return CANNOT_REMOVE
    sys.stdout.buffer.write(",".join(sorted(warnings)).encode() + b"\n" + made)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

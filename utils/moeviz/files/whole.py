"""Files that are complete or not there at all."""

import os


def write_whole(path, write):
    """Let `write` fill a file beside `path` and then give it that name, in one step."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            write(file)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)

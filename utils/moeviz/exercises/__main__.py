"""`python -m moeviz.exercises mark FOLDER`: mark the notebooks that a class returned."""

import argparse
import pathlib
import sys

from moeviz.environment import run_command
from moeviz.exercises import marking


def main(arguments):
    """Mark a folder; write marks.csv and marks.html."""
    parser = argparse.ArgumentParser(
        prog="python -m moeviz.exercises", description=marking.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    mark = commands.add_parser("mark", help="mark returned notebooks")
    mark.add_argument("folder", type=pathlib.Path, help="the notebooks, in any folders")
    mark.add_argument("--into", type=pathlib.Path, help="where marks.csv and marks.html go (default FOLDER)")
    mark.add_argument("--seconds", type=int, default=marking.SECONDS,
                      help=f"time of one notebook's code (default {marking.SECONDS})")
    mark.add_argument("--megabytes", type=int, default=marking.MEGABYTES,
                      help=f"memory of one notebook's code, on Linux (default {marking.MEGABYTES})")
    options = parser.parse_args(arguments)
    into = options.into or options.folder
    try:
        into.mkdir(parents=True, exist_ok=True)
        marks = marking.mark_folder(options.folder, seconds=options.seconds, megabytes=options.megabytes,
                                    tell=lambda path: print(f"{path.name} ...", flush=True))
        marking.write_csv(marks, into / "marks.csv")
        (into / "marks.html").write_text(marking.page(marks), encoding="utf-8")
    except (ValueError, OSError) as error:
        parser.error(str(error))
    right = sum(each.status == "right" for each in marks)
    print(f"{right} right of {len(marks)}: {into / 'marks.csv'}, {into / 'marks.html'}")


if __name__ == "__main__":
    raise SystemExit(run_command(main, sys.argv[1:]))

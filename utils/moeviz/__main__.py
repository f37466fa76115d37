"""Run `python -m moeviz`: a sentence, the report of a captured routing, or the ledger of a model.

    python -m moeviz "any sentence"          where the trained router sends it
    python -m moeviz trace capture.npy       what a captured routing says
    python -m moeviz count config.json       parameters, FLOPs and cache of a model

`trace` and `count` are commands where the file after them exists; otherwise they are words like any other.
"""

import sys
from pathlib import Path

from moeviz import report, terminal
from moeviz.environment import run_command


def main(argv):
    """Return the exit code of the command, or of the sentence."""
    named = len(argv) > 1 and argv[0] in ("trace", "count")
    if named and (Path(argv[1]).is_file() or Path(argv[1]).suffix or argv[1] in ("-h", "--help")):
        return report.main(argv)
    return terminal.main(argv)


if __name__ == "__main__":
    raise SystemExit(run_command(main, sys.argv[1:]))

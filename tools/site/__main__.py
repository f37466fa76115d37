"""Build the site: `python -m tools.site [--into FOLDER] [--repository OWNER/NAME]`."""

import argparse
import os
import pathlib
import sys
import time

from moeviz.environment import run_command
from tools.folders import check_target
from tools.site.build import ROOT, build, size
from tools.site.elsewhere import GITHUB, check_repository


def main(arguments, environment=os.environ):
    """Build the site and say what came out."""
    options, start = read_options(arguments, environment), time.monotonic()
    pages = build(options.into, repository=options.repository)
    print(f"{len(pages)} pages, {size(options.into) / 1e6:.1f} MB, {time.monotonic() - start:.0f} s: open "
          f"{options.into / 'index.html'}")


def read_options(arguments, environment):
    """Read the command line; a workflow of GitHub names its repository in the environment."""
    on_github = environment.get("GITHUB_SERVER_URL", GITHUB) == GITHUB
    here = environment.get("GITHUB_REPOSITORY", "") if on_github else ""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description="Write the notebooks as pages.")
    parser.add_argument("--into", type=pathlib.Path, default=ROOT / "site", metavar="FOLDER",
                        help="the folder to write: new, empty or an older site (default site)")
    parser.add_argument("--repository", default=here, metavar="OWNER/NAME",
                        help="let pages link to Binder and to their source on GitHub")
    options = parser.parse_args(arguments)
    try:
        check_repository(options.repository)
        check_target(options.into)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))

"""Build the site into the folder that the command line names, or into `site`."""

import pathlib
import sys
import time

from site_builder.build import ROOT, build, size


def main(arguments):
    """Build the site and say what came out."""
    site, start = pathlib.Path(arguments[0]) if arguments else ROOT / "site", time.monotonic()
    pages = build(site)
    print(f"{len(pages)} pages, {size(site) / 1e6:.1f} MB, {time.monotonic() - start:.0f} s: open "
          f"{site / 'index.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""The checks over every supported Python, with the oldest and the newest NumPy and matplotlib.

`python start.py test` takes the versions of constraints.txt; these sessions take none of them.

    nox                             every combination whose Python is on this machine
    nox -s "tests-3.12(newest)"     one of them
    nox -- -m notebook              with options for pytest in place of everything that needs no browser
"""

import pathlib
import runpy

import nox

START = runpy.run_path(str(pathlib.Path(__file__).with_name("start.py")))
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# the oldest releases that a Python of this version can install, and a parser of their time
OLDEST = {"3.11": ("numpy==1.26.*", "matplotlib==3.8.*", "pyparsing<3.2"),
          "3.12": ("numpy==1.26.*", "matplotlib==3.8.*", "pyparsing<3.2"),
          "3.13": ("numpy==2.1.*", "matplotlib==3.9.*", "pyparsing<3.2"),
          "3.14": ("numpy==2.3.*", "matplotlib==3.10.*", "pyparsing<3.2")}

nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=PYTHONS)
@nox.parametrize("libraries", [nox.param("oldest", id="oldest"), nox.param("newest", id="newest")])
def tests(session, libraries):
    """Run the tests; those in a browser test the front end, which no Python or NumPy changes."""
    pins = OLDEST[session.python] if libraries == "oldest" else ()
    session.install("-r", "requirements-dev.txt", *pins)
    session.run("python", "-c", "import sys, numpy, matplotlib; "
                "print(sys.version.split()[0], numpy.__version__, matplotlib.__version__)")
    session.run("python", "-m", "pytest", "-q", "--timeout", "300", *START["WORKERS"],
                *(session.posargs or ("-m", "not browser")), env=dict.fromkeys(START["THREADS"], "1"))

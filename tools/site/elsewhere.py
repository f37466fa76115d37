"""Where else a notebook stands: on Binder, which runs it, and on GitHub, which shows its source."""

import re

GITHUB = "https://github.com"
BINDER = "https://mybinder.org/v2/gh"
# as GitHub names owners and repositories; nothing that would mean something in an address or in HTML
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")


def check_repository(repository):
    """Return "OWNER/NAME", or "" for none; ValueError for anything else.

    >>> check_repository("octocat/Hello-World")
    'octocat/Hello-World'
    """
    if repository and not REPOSITORY.fullmatch(repository):
        raise ValueError(f"repository must be OWNER/NAME as on GitHub, got {repository!r}")
    return repository


def elsewhere(repository, stem):
    """Return {words: address} of links to a notebook; none without a repository.

    >>> elsewhere("octocat/moe", "00_a")["View source"]
    'https://github.com/octocat/moe/blob/HEAD/notebooks/00_a.ipynb'
    """
    if not check_repository(repository):
        return {}
    return {"Run on Binder": f"{BINDER}/{repository}/HEAD?urlpath=lab/tree/notebooks/{stem}.ipynb",
            "View source": f"{GITHUB}/{repository}/blob/HEAD/notebooks/{stem}.ipynb"}

"""Scripts of the project that are no part of the package: run, tidy and photograph notebooks, write pages.

Each runs from the project's folder as `python -m tools.NAME`.
"""

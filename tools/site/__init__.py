"""Builds the rendered edition of the course: `python -m tools.site`, or `python start.py site`."""

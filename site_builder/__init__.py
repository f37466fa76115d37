"""Builds the rendered edition of the course: `python -m site_builder`, or `python start.py site`."""

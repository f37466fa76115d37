"""Builds the rendered edition of the course: `python -m site_builder [FOLDER]`, or `python start.py site`."""

"""Every exercise of the course by its name: `check.name(my_name)`. One module of exercises per notebook."""

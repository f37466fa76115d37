"""Run a module with at most so many megabytes of address space: `python limited.py MB MODULE [arguments]`.

Linux holds a process to it: beyond the limit comes a MemoryError. Elsewhere there is no limit.
"""

import runpy
import sys


def limit(megabytes):
    """Lower this process's address space for good; a process cannot raise it again by itself."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


if __name__ == "__main__":
    limit(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

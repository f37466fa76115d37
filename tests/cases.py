"""Many cases of one test in one loop: pytest takes a millisecond or two for each test that it knows."""

import functools
import inspect


def cases(names, values):
    """Decorate a test like `pytest.mark.parametrize`, but run all in one test; a failure names its case.

    Cases share what fixtures give; where each needs its own, `parametrize` is right.
    """
    names = names.replace(" ", "").split(",") if isinstance(names, str) else names

    def decorate(test):
        @functools.wraps(test)
        def loop(**fixtures):
            for each in values:
                given = dict(zip(names, each if len(names) > 1 else [each], strict=True))
                try:
                    test(**fixtures, **given)
                except BaseException as error:
                    error.add_note(f"with {given}")
                    raise

        signature = inspect.signature(test)
        loop.__signature__ = signature.replace(
            parameters=[each for name, each in signature.parameters.items() if name not in names])
        return loop

    return decorate

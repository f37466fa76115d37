"""Read the catalogue from moeviz/data/models.json, whose head documents its fields."""

import json
from functools import cache
from importlib import resources

from moeviz.arrays import check_choice
from moeviz.cost import ModelSpec
from moeviz.models.record import Model, Published, Statement, Undisclosed

FIGURES = ("total", "active", "exact_total")


@cache
def catalogue():
    """Return every model with a published shape, oldest first, as a tuple of `Model`.

    >>> len(catalogue()) >= 30
    True
    """
    return tuple(read_model(entry) for entry in _read_file()["models"])


@cache
def undisclosed():
    """Return the models whose sizes were not published, as a tuple of `Undisclosed`.

    >>> [each.name for each in undisclosed()]
    ['M4 (2019)', 'GPT-4', 'MiniMax abab6', 'Gemini 1.5 Pro']
    """
    return tuple(_read_undisclosed(entry) for entry in _read_file()["undisclosed"])


def model(name):
    """Return the `Model` of this name; ValueError that lists the names for another.

    >>> model("Mixtral 8x7B").organisation
    'Mistral AI'
    """
    if isinstance(name, str) and name in {each.name for each in undisclosed()}:
        raise ValueError(f"{name!r} has no published shape; see undisclosed()")
    known = {each.name: each for each in catalogue()}
    return known[check_choice(name, "name", known)]


def read_model(entry):
    """Return the `Model` that one entry of the file describes; ValueError naming the model otherwise.

    >>> read_model({"name": "X", "year": 2024})
    Traceback (most recent call last):
    ValueError: model 'X': missing 'spec'
    """
    try:
        figures = {field: Published(**entry[field]) for field in FIGURES if field in entry}
        spec = ModelSpec.from_dict({"name": entry["name"], **entry["spec"]})
        return Model(**entry | figures | {"spec": spec})
    except KeyError as error:
        raise ValueError(f"model {entry.get('name')!r}: missing {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"model {entry.get('name')!r}: {error}") from None


def _read_undisclosed(entry):
    said = tuple(Statement(**each) for each in entry["statements"])
    return Undisclosed(**entry | {"statements": said})


def _read_file():
    path = resources.files("moeviz") / "data" / "models.json"
    return json.loads(path.read_text(encoding="utf-8"))

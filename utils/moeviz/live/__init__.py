"""Live views: the router under the reader's hands, as HTML that needs neither kernel nor network.

JavaScript computes what NumPy computes: the modules in `moe/` say again what `tinylm`, `transformer`,
`routing` and `capacity` say, and the tests hold both to each other.
"""

from moeviz.live.given import board, plane, seats
from moeviz.live.journey import journey
from moeviz.live.sentence import sentence
from moeviz.live.show import Live
from moeviz.live.training import coin, thermostat, training

__all__ = ["Live", "board", "coin", "journey", "plane", "seats", "sentence", "thermostat", "training"]

"""moeviz: Mixture-of-Experts routing in NumPy, made to be read.

Tokens become logits, a router turns logits into a `Routing`, and everything else
(capacity, experts, losses, metrics, plots) takes that one record.
"""

from moeviz.record import EMPTY, Routing

__all__ = ["EMPTY", "Routing", "__version__"]
__version__ = "0.1.0"

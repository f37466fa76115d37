"""Files: `npz` reads and writes arrays without trusting what it reads; `write_whole` leaves no half file."""

from moeviz.files import npz
from moeviz.files.whole import write_whole

__all__ = ["npz", "write_whole"]

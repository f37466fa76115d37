"""Files: `npz` reads and writes arrays without trusting what it reads, `write_whole` leaves no half file."""

from moeviz.files import npz
from moeviz.files.whole import check_target, stored, write_whole

__all__ = ["check_target", "npz", "stored", "write_whole"]

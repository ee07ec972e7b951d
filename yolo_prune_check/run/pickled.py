"""Pickling by which equal models become equal bytes; a ``pickle_module`` for ``torch.save``.

Where a text comes again, pickle refers to the first one if both are one object, else it writes it again. Whether they
are depends on how a model came about: made here, or read from a file, as by a run that goes on where it was killed.
"""

from __future__ import annotations

import pickle
import sys


class Pickler(pickle._Pickler):  # the one in C asks nobody about texts
    """A pickler for which equal texts are one object."""

    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        """Write an object; see ``pickle``."""
        known = sys.intern(obj) if type(obj) is str else obj
        super().save(known, save_persistent_id)  # type: ignore[misc]  # typeshed leaves the method out

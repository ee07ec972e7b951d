"""What stays of each parameter of a model, in plain numbers: what execution ``group`` carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.removal import Columns, Cut, Removal

Attributes = Mapping[tuple[str, str], int | list[int]]
"""What module attributes hold afterwards, by module and attribute."""


@dataclass(frozen=True)
class Cuts:
    """What stays; of a layer, norm or parameter that is not named, all.

    Attributes:
        layers: Of each convolution.
        norms: Entries of each batch norm, by its name.
        columns: Of each linear layer's or transposed convolution's weight, by the parameter's name.
        scales: Of each other parameter with a number for each channel, by its name.
        attributes: Module attributes that hold other numbers.
    """

    layers: Mapping[str, Cut] = field(default_factory=dict)
    norms: Mapping[str, Ids] = field(default_factory=dict)
    columns: Mapping[str, Columns] = field(default_factory=dict)
    scales: Mapping[str, Columns] = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)

    @classmethod
    def of(cls, removal: Removal, unread: Attributes | None = None) -> Cuts:
        """The cuts that a removal asks for.

        Args:
            removal: What goes.
            unread: Module attributes that the traced pass did not read and that hold other numbers as well.
        """
        attributes = {**(unread or {}), **removal.attributes}
        return cls(removal.layers, removal.norms, removal.columns, removal.scales, attributes)

    def since(self, earlier: Cuts) -> Cuts:
        """The same in the numbering of a model on which earlier cuts were carried out.

        Args:
            earlier: Cuts of the same model that take no more than these.
        """
        layers = {}
        for name, cut in self.layers.items():
            before = earlier.layers.get(name)
            if before is None:
                layers[name] = cut
            else:
                outputs, inputs = _among(cut.outputs, before.outputs), _among(cut.inputs, before.inputs)
                layers[name] = Cut(outputs, inputs, cut.groups)
        return Cuts(
            layers,
            {name: _among(kept, earlier.norms.get(name)) for name, kept in self.norms.items()},
            {name: _columns(columns, earlier.columns.get(name)) for name, columns in self.columns.items()},
            {name: _columns(scale, earlier.scales.get(name)) for name, scale in self.scales.items()},
            self.attributes,
        )


def _columns(columns: Columns, before: Columns | None) -> Columns:
    return columns if before is None else Columns(columns.axis, _among(columns.kept, before.kept))


def _among(kept: Ids, before: Ids | None) -> Ids:
    """Positions of entries among those that were there before, which are ascending."""
    return kept if before is None else np.searchsorted(before, kept)

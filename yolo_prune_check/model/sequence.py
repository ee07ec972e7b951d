"""The field notes' `sliced_block`: the blocks before a layer, then its own block's convolutions, in a row.

The notes take a layer's activations from `nn.Sequential(*blocks_before, nn.Sequential(*submodules))`. A block that is
not sequential itself, such as C2f, does not survive that, pruned or not.
"""

from __future__ import annotations

from torch import nn

from yolo_prune_check.model.layers import Layer, layers_of_block


def sliced_names(model: nn.Module, layer: Layer) -> tuple[str, ...]:
    """Qualified names of the modules in the notes' sequence for a layer, first to last.

    All blocks before the layer's, then the emitters of the block's convolutions, in module order, up to and including
    the layer's.

    >>> from yolo_prune_check.model.addresses import find_layer
    >>> from yolo_prune_check.model.load import load_model
    >>> model = load_model("yolov8n.yaml")
    >>> sliced_names(model, find_layer(model, "2.1"))
    ('model.0', 'model.1', 'model.2.cv1', 'model.2.cv2')
    """
    before = (f"model.{block}" for block in range(layer.block))
    inside = (other.emitter for other in layers_of_block(model, layer.block)[: layer.index + 1])
    return tuple(dict.fromkeys((*before, *inside)))  # two convolutions may share an emitter


def sliced_module(model: nn.Module, layer: Layer) -> nn.Sequential:
    """The notes' sequence for a layer, of the model's own modules (not copies)."""
    return nn.Sequential(*(model.get_submodule(name) for name in sliced_names(model, layer)))

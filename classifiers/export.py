"""Writes a trained network as ONNX files. Needs the extra ``train`` (torch, onnx)."""

import copy
import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classifiers.corpus import HEADS
from classifiers.model_folder import POOLED
from classifiers.network import Evened, JointModel

FLOAT = 1  #: onnx.TensorProto.FLOAT


#: Products whose input is evened out: their loudest channels are 7 to 33 times as loud as the middle one (the others'
#: 2 to 5 times), and an int8 step as wide as these need it leaves little of the rest.
UNEVEN = ("up", "down")
EVENED = 0.8  #: how far a channel's loudness goes over into its weights; of 0.5 to 1 the one nearest to full precision


def export(model: JointModel, path: Path, seen: Iterable[Sequence[int]], *, full_precision: Path | None = None) -> None:
    """Writes the model as one int8 ONNX file: ids in; one row of logits for each head and the pooled post out.

    The heads stay in full precision: they are small, and a city's own heads must answer as they would. ``seen`` are
    some hundred posts, as numbers of their pieces, to see by how loud each channel of the network gets.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "model.onnx"
        export_fp32(evened(model, seen), full)
        graph = onnx.load(full)
        del graph.graph.value_info[:]  # the exporter's shape notes contradict the quantiser's own inference
        _forget_where_it_was_made(graph)
        onnx.save(graph, full)
        heads = [node.name for node in graph.graph.node if set(node.output) & set(HEADS)]
        whole = [*heads, *(f"{name}_MatMul" for name in heads)]  # as the quantiser calls them once it has split them
        whole += [node.name for node in graph.graph.node if node.op_type == "Gather"]
        quantize_dynamic(full, path, per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=whole)
        quantised = onnx.load(path)
        _scale_each_piece(quantised)
        onnx.save(quantised, path)
        if full_precision is not None:
            shutil.copyfile(full, full_precision)


def evened(model: JointModel, seen: Iterable[Sequence[int]]) -> JointModel:
    """A copy that answers the same, and loses less once its products are of int8 (SmoothQuant, Xiao et al. 2023).

    ``seen``: posts, as numbers of their pieces.
    """
    calm: JointModel = copy.deepcopy(model)
    calm.eval()
    loudest: dict[nn.Linear, Tensor] = {}

    def hear(product: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        assert isinstance(product, nn.Linear)
        loud = given[0].abs().amax((0, 1))
        loudest[product] = torch.maximum(loudest.get(product, loud), loud)

    ears = [getattr(layer, name).register_forward_hook(hear) for layer in calm.layers for name in UNEVEN]
    with torch.no_grad():
        for pieces in seen:
            calm(torch.tensor([pieces]))
    for ear in ears:
        ear.remove()
    for layer in calm.layers:
        for name in UNEVEN:
            product = getattr(layer, name)
            heavy = product.weight.detach().abs().amax(0).clamp(min=1e-5)
            loud = loudest[product].clamp(min=1e-5)
            setattr(layer, name, Evened(product, heavy ** (1 - EVENED) / loud**EVENED))
    return calm


def _scale_each_piece(graph: Any) -> None:
    """The table of pieces in int8 with a scale for each piece.

    The quantiser would give one scale to the whole table, and a few large pieces would cost all the others their
    precision: of the answers that then differ from full precision, most differ by that alone.
    """
    from onnx import helper, numpy_helper

    tables = {one.name: one for one in graph.graph.initializer}
    name = max(tables, key=lambda one: math.prod(tables[one].dims) if tables[one].data_type == FLOAT else 0)
    table = numpy_helper.to_array(tables[name])
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True) / 127, 1e-12).astype(np.float32)
    small = np.clip(np.rint(table / scales), -127, 127).astype(np.int8)
    graph.graph.initializer.remove(tables[name])
    graph.graph.initializer.append(numpy_helper.from_array(small, "pieces.int8"))
    graph.graph.initializer.append(numpy_helper.from_array(scales, "pieces.scales"))
    at, read = next((at, node) for at, node in enumerate(graph.graph.node) if name in node.input)
    ids, out = read.input[1], read.output[0]
    graph.graph.node.remove(read)
    for node in reversed(
        [
            helper.make_node("Gather", ["pieces.int8", ids], ["pieces.small"]),
            helper.make_node("Gather", ["pieces.scales", ids], ["pieces.scale"]),
            helper.make_node("Cast", ["pieces.small"], ["pieces.wide"], to=FLOAT),
            helper.make_node("Mul", ["pieces.wide", "pieces.scale"], [out]),
        ]
    ):
        graph.graph.node.insert(at, node)


def _forget_where_it_was_made(graph: Any) -> None:
    """Take out the exporter's stack traces: they name the folders of the machine that trained it, on every node."""
    del graph.metadata_props[:]
    for part in (graph.graph, *graph.functions):
        part.doc_string = ""
        del part.metadata_props[:]
        for node in part.node:
            node.doc_string = ""
            del node.metadata_props[:]


def export_fp32(model: JointModel, path: Path) -> None:
    """Writes the model as a plain ONNX file, to compare the int8 one with."""
    batch, pieces = torch.export.Dim("batch"), torch.export.Dim("pieces", max=512)
    torch.onnx.export(
        model.eval(),
        (torch.tensor([[0, 5, 6, 7, 2], [0, 8, 9, 10, 2]]),),
        path,
        input_names=["ids"],
        output_names=[*HEADS, POOLED],
        dynamic_shapes={"ids": {0: batch, 1: pieces}},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def shift(path: Path, shifts: Mapping[str, NDArray[np.float32]]) -> None:
    """Adds to each head's bias, in the file itself, so that whoever reads its logits reads them shifted.

    Shape of each: (labels,).

    Raises:
        ValueError: a head has no bias of that shape.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path)
    tables = {one.name: one for one in graph.graph.initializer}
    for head, by in shifts.items():
        answering = next(node for node in graph.graph.node if head in node.output)
        biases = [name for name in answering.input if name in tables and list(tables[name].dims) == [len(by)]]
        if len(biases) != 1:
            raise ValueError(f"{path}: the head {head} has {len(biases)} biases of {len(by)} labels, not one")
        bias = tables[biases[0]]
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + by.astype(np.float32), bias.name))
    onnx.save(graph, path)

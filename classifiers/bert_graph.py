"""Writes a BERT-like sentence encoder (BERT, RoBERTa, XLM-R with mean pooling) as an ONNX graph, from its weights.

The fused operators are ONNX Runtime's own (domain com.microsoft); they spare the exporter and its tracing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, npt.NDArray[np.float32]]

KINDS = ("bert", "roberta", "xlm-roberta")
_FUSED = "com.microsoft"
_OPSET, _IR = 17, 8


class _Graph:
    """Nodes and initialisers in the order they are added; every node has one output, named after it."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], *, domain: str = "", **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str, *, turned: bool = False) -> str:
        value = self.weights[name].astype(np.float32)
        return self.constant(name, value.T if turned else value)

    def layer_norm(self, prefix: str) -> list[str]:
        return [self.weight(f"{prefix}.LayerNorm.weight"), self.weight(f"{prefix}.LayerNorm.bias")]


def bert_graph(weights: Weights, *, layers: int, heads: int, epsilon: float) -> onnx.ModelProto:
    """A model with inputs ids, positions and mask (int32, texts x tokens) and output `vectors` (texts x width, unit).

    `weights` are named as in Hugging Face's `BertModel`; token types are all zero and folded into the positions.
    Devlin et al. 2019 (BERT); Reimers and Gurevych 2019 (mean over the tokens that are not padding).

    Raises:
        KeyError: a weight is missing.
    """
    graph = _Graph(weights)
    table = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][:1]
    words = graph.node("Gather", [graph.weight("embeddings.word_embeddings.weight"), "ids"])
    places = graph.node("Gather", [graph.constant("positions_table", table.astype(np.float32)), "positions"])
    norm: dict[str, Any] = {"domain": _FUSED, "epsilon": epsilon}
    state = graph.node("SkipLayerNormalization", [words, places, *graph.layer_norm("embeddings")], **norm)
    for number in range(layers):
        state = _layer(graph, f"encoder.layer.{number}", state, heads, norm)
    _pool(graph, state)
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT32, ["n", "t"]) for n in ("ids", "positions", "mask")]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", int(table.shape[1])])]
    body = helper.make_graph(graph.nodes, "encoder", inputs, outputs, initializer=graph.initializers)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=_IR)


def _layer(graph: _Graph, prefix: str, state: str, heads: int, norm: dict[str, Any]) -> str:
    weights = graph.weights
    parts = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
    joined = graph.constant(f"{prefix}.qkv.weight", np.concatenate([weights[f"{p}.weight"].T for p in parts], axis=1))
    shift = graph.constant(f"{prefix}.qkv.bias", np.concatenate([weights[f"{p}.bias"] for p in parts]))
    attended = graph.node("Attention", [state, joined, shift, "mask"], domain=_FUSED, num_heads=heads)
    out = f"{prefix}.attention.output"
    mixed = graph.node("MatMul", [attended, graph.weight(f"{out}.dense.weight", turned=True)])
    state = graph.node(
        "SkipLayerNormalization", [mixed, state, *graph.layer_norm(out), graph.weight(f"{out}.dense.bias")], **norm
    )
    wide = graph.node("MatMul", [state, graph.weight(f"{prefix}.intermediate.dense.weight", turned=True)])
    wide = graph.node("BiasGelu", [wide, graph.weight(f"{prefix}.intermediate.dense.bias")], domain=_FUSED)
    out = f"{prefix}.output"
    narrow = graph.node("MatMul", [wide, graph.weight(f"{out}.dense.weight", turned=True)])
    return graph.node(
        "SkipLayerNormalization", [narrow, state, *graph.layer_norm(out), graph.weight(f"{out}.dense.bias")], **norm
    )


def _pool(graph: _Graph, state: str) -> None:
    last, tokens = graph.constant("last", np.array([2], np.int64)), graph.constant("tokens", np.array([1], np.int64))
    real = graph.node("Unsqueeze", [graph.node("Cast", ["mask"], to=TensorProto.FLOAT), last])
    total = graph.node("ReduceSum", [graph.node("Mul", [state, real]), tokens], keepdims=0)
    graph.nodes.append(helper.make_node("LpNormalization", [total], ["vectors"], name="vectors", axis=-1, p=2))

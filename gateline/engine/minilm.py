"""The graph of all-MiniLM-L6-v2 in ONNX, from its weights alone: BERT, mean over the words, length one, in int8.

Weights have one scale an output; activations get theirs at run time, one a token. ONNX Runtime's own dynamic
quantisation takes one for the whole batch instead: there a text's vector depends on which strangers' texts were
computed beside it (cosine down to 0.977 to itself alone), and it stays further from full precision.

Sizes and names are those of `sentence-transformers/all-MiniLM-L6-v2` (config.json; BERT as in arXiv:1810.04805).
"""

from __future__ import annotations

from typing import Any

LAYERS = 6
HEADS = 12
DIMENSIONS = 384
POSITIONS = 512
EPSILON = 1e-12
OPSET = 17  # the first with LayerNormalization
# Weights take seven bits: CPUs without VNNI add two products of bytes in sixteen bits, which eight would overflow.
_WEIGHT_TOP = 63
_ACTIVATION_TOP = 127
_ACTIVATION_ZERO = 128
_MASKED = -1e9


class _Graph:
    """Collects nodes and constants; `node` returns the name of its only output."""

    def __init__(self, quantised: bool) -> None:
        self.quantised = quantised
        self._small: dict[str, tuple[str, str]] = {}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: Any) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def small(self, source: str) -> tuple[str, str]:
        """`source` in unsigned bytes, and their scales: one a token. Made once, however many products read it."""
        from onnx import TensorProto

        if source not in self._small:
            most = self.node("Max", self.node("ReduceMax", self.node("Abs", source), axes=[-1], keepdims=1), "tiny")
            scale = self.node("Mul", most, "activation_step")
            steps = self.node("Round", self.node("Div", source, scale))
            bytes_ = self.node("Cast", self.node("Add", steps, "activation_middle"), to=TensorProto.UINT8)
            self._small[source] = bytes_, scale
        return self._small[source]


def build_graph(weights: dict[str, Any], *, quantised: bool = True) -> Any:
    """An ONNX model: `input_ids`, `attention_mask` int64 [batch, length] -> `embedding` float32 [batch, 384].

    `weights` are float32 arrays by the checkpoint's names. Not `quantised`: full precision, what the other is held to.
    """
    import numpy as np
    from onnx import TensorProto, helper

    graph = _Graph(quantised)
    if quantised:
        _activation_constants(graph)
    hidden = _embeddings(graph, weights)
    mask = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    one = graph.constant("one", np.array(1, np.float32))
    barred = graph.node("Mul", graph.node("Sub", one, mask), graph.constant("masked", np.array(_MASKED, np.float32)))
    barred = graph.node("Unsqueeze", barred, graph.constant("axes_heads", np.array([1, 2], np.int64)))
    for layer in range(LAYERS):
        hidden = _layer(graph, weights, f"encoder.layer.{layer}.", hidden, barred)
    _pool(graph, hidden, mask)
    shape = ["batch", "length"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSIONS])]
    made = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def _activation_constants(graph: _Graph) -> None:
    import numpy as np

    graph.constant("tiny", np.array(1e-8, np.float32))
    graph.constant("activation_step", np.array(1 / _ACTIVATION_TOP, np.float32))
    graph.constant("activation_middle", np.array(_ACTIVATION_ZERO, np.float32))
    graph.constant("activation_zero", np.array(_ACTIVATION_ZERO, np.uint8))


def _embeddings(graph: _Graph, weights: dict[str, Any]) -> str:
    import numpy as np

    # One text an input: every token has type 0, so its row can be part of the positions.
    places = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    positions = graph.constant("positions", places)
    length = graph.node("Shape", "input_ids", start=1, end=2)
    zero = graph.constant("zero", np.array([0], np.int64))
    here = graph.node("Slice", positions, zero, length, zero)
    summed = graph.node("Add", _words(graph, weights["embeddings.word_embeddings.weight"]), here)
    return _normalise(graph, weights, "embeddings.LayerNorm", summed)


def _words(graph: _Graph, table: Any) -> str:
    """One scale a word: a row is looked up and widened, the table stays small."""
    import numpy as np
    from onnx import TensorProto

    if not graph.quantised:
        return graph.node("Gather", graph.constant("words", table), "input_ids")
    scales = np.abs(table).max(axis=1, keepdims=True).astype(np.float32) / 127
    small = np.rint(table / np.where(scales > 0, scales, 1)).astype(np.int8)
    row = graph.node("Gather", graph.constant("words", small), "input_ids")
    scale = graph.node("Gather", graph.constant("words.scale", scales), "input_ids")
    return graph.node("Mul", graph.node("Cast", row, to=TensorProto.FLOAT), scale)


def _layer(graph: _Graph, weights: dict[str, Any], name: str, hidden: str, barred: str) -> str:
    attended = _attention(graph, weights, f"{name}attention.", hidden, barred)
    attended = _dense(graph, weights, f"{name}attention.output.dense", attended)
    hidden = _normalise(graph, weights, f"{name}attention.output.LayerNorm", graph.node("Add", attended, hidden))
    inner = _gelu(graph, _dense(graph, weights, f"{name}intermediate.dense", hidden))
    outer = _dense(graph, weights, f"{name}output.dense", inner)
    return _normalise(graph, weights, f"{name}output.LayerNorm", graph.node("Add", outer, hidden))


def _attention(graph: _Graph, weights: dict[str, Any], name: str, hidden: str, barred: str) -> str:
    import numpy as np

    split = graph.constant(f"{name}split", np.array([0, 0, HEADS, DIMENSIONS // HEADS], np.int64))
    merge = graph.constant(f"{name}merge", np.array([0, 0, DIMENSIONS], np.int64))
    scale = graph.constant(f"{name}scale", np.array((DIMENSIONS // HEADS) ** -0.5, np.float32))

    def heads(part: str, order: list[int]) -> str:
        # Values go straight into the sum that is the result: left exact, they halve its error for 4 % of the speed.
        dense = _dense(graph, weights, f"{name}self.{part}", hidden, exact=part == "value")
        return graph.node("Transpose", graph.node("Reshape", dense, split), perm=order)

    query, key = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1])
    scores = graph.node("Add", graph.node("Mul", graph.node("MatMul", query, key), scale), barred)
    mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), heads("value", [0, 2, 1, 3]))
    return graph.node("Reshape", graph.node("Transpose", mixed, perm=[0, 2, 1, 3]), merge)


def _dense(graph: _Graph, weights: dict[str, Any], name: str, source: str, *, exact: bool = False) -> str:
    weight = weights[f"{name}.weight"]
    if graph.quantised and not exact:
        product = _small_product(graph, weight, name, source)
    else:
        product = graph.node("MatMul", source, graph.constant(f"{name}.weight", weight.T.copy()))
    return graph.node("Add", product, graph.constant(f"{name}.bias", weights[f"{name}.bias"]))


def _small_product(graph: _Graph, weight: Any, name: str, source: str) -> str:
    import numpy as np
    from onnx import TensorProto

    scales = np.abs(weight).max(axis=1).astype(np.float32) / _WEIGHT_TOP
    steps = np.rint(weight / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    bytes_, scale = graph.small(source)
    product = graph.node("MatMulInteger", bytes_, graph.constant(f"{name}.weight", steps.T.copy()), "activation_zero")
    scaled = graph.node("Mul", graph.node("Cast", product, to=TensorProto.FLOAT), scale)
    return graph.node("Mul", scaled, graph.constant(f"{name}.scale", scales))


def _normalise(graph: _Graph, weights: dict[str, Any], name: str, source: str) -> str:
    weight = graph.constant(f"{name}.weight", weights[f"{name}.weight"])
    bias = graph.constant(f"{name}.bias", weights[f"{name}.bias"])
    return graph.node("LayerNormalization", source, weight, bias, axis=-1, epsilon=EPSILON)


def _gelu(graph: _Graph, source: str) -> str:
    """x/2 * (1 + erf(x / sqrt 2)): the exact form, which ONNX Runtime recognises and runs as one kernel."""
    import numpy as np

    name = f"gelu_{len(graph.nodes)}"
    root = graph.constant(f"{name}.root", np.array(2**0.5, np.float32))
    half = graph.constant(f"{name}.half", np.array(0.5, np.float32))
    error = graph.node("Erf", graph.node("Div", source, root))
    return graph.node("Mul", graph.node("Mul", source, graph.node("Add", error, "one")), half)


def _pool(graph: _Graph, hidden: str, mask: str) -> None:
    import numpy as np
    from onnx import helper

    words = graph.constant("axis_words", np.array([1], np.int64))
    last = graph.constant("axis_last", np.array([-1], np.int64))
    weighted = graph.node("Mul", hidden, graph.node("Unsqueeze", mask, last))
    # The length of the sum is all that a mean would change, and it is divided away.
    total = graph.node("ReduceSum", weighted, words, keepdims=0)
    length = graph.node("ReduceL2", total, axes=[-1], keepdims=1)
    graph.nodes.append(helper.make_node("Div", [total, length], ["embedding"], name="embedding"))

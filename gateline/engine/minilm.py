"""The graph of all-MiniLM-L6-v2 in ONNX, from its weights alone: BERT, mean over the words, length one, in int8.

Weights are quantised in blocks of a row, activations by the kernel likewise, at run time. ONNX Runtime's usual dynamic
quantisation takes one scale for a whole batch instead: there a text's vector depends on which strangers' texts were
computed beside it (cosine 0.977 to itself alone), and it came no closer to full precision (0.984 against 0.999).

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
BLOCK = 128  # weights that share a scale; divides both inner sizes, 384 and 1536
_MASKED = -1e9
_INT8_KERNEL = 4  # MatMulNBits' accuracy_level: quantise activations to int8, a block at a time


class _Graph:
    """Collects nodes and constants; `node` returns the name of its only output."""

    def __init__(self, quantised: bool) -> None:
        self.quantised = quantised
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


def build_graph(weights: dict[str, Any], *, quantised: bool = True) -> Any:
    """An ONNX model: `input_ids`, `attention_mask` int64 [batch, length] -> `embedding` float32 [batch, 384].

    `weights` are float32 arrays by the checkpoint's names. Not `quantised`: full precision, what the other is held to.
    """
    import numpy as np
    from onnx import TensorProto, helper

    graph = _Graph(quantised)
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
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=imports, ir_version=8)


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
        dense = _dense(graph, weights, f"{name}self.{part}", hidden)
        return graph.node("Transpose", graph.node("Reshape", dense, split), perm=order)

    query, key = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1])
    scores = graph.node("Add", graph.node("Mul", graph.node("MatMul", query, key), scale), barred)
    mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), heads("value", [0, 2, 1, 3]))
    return graph.node("Reshape", graph.node("Transpose", mixed, perm=[0, 2, 1, 3]), merge)


def _dense(graph: _Graph, weights: dict[str, Any], name: str, source: str) -> str:
    weight = weights[f"{name}.weight"]
    if graph.quantised:
        product = _small_product(graph, weight, name, source)
    else:
        product = graph.node("MatMul", source, graph.constant(f"{name}.weight", weight.T.copy()))
    return graph.node("Add", product, graph.constant(f"{name}.bias", weights[f"{name}.bias"]))


def _small_product(graph: _Graph, weight: Any, name: str, source: str) -> str:
    """com.microsoft.MatMulNBits with eight bits: unsigned bytes around 128, one scale a block of each output's row."""
    import numpy as np

    rows, inner = weight.shape
    blocks = weight.reshape(rows, inner // BLOCK, BLOCK)
    scales = np.abs(blocks).max(axis=2).astype(np.float32) / 127
    small = np.rint(blocks / np.where(scales > 0, scales, 1)[:, :, None]) + 128
    return graph.node(
        "MatMulNBits",
        source,
        graph.constant(f"{name}.weight", small.astype(np.uint8)),
        graph.constant(f"{name}.scale", scales.reshape(-1)),
        domain="com.microsoft",
        K=inner,
        N=rows,
        bits=8,
        block_size=BLOCK,
        accuracy_level=_INT8_KERNEL,
    )


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

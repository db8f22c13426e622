"""The embedding model: real weights, exported here, held to a full-precision run of the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from gateline.engine.refusal import Refused

pytestmark = pytest.mark.local

TEXTS = [
    "The cat sits on the mat.",
    "A man is playing guitar on a stage in front of a large crowd of people who are cheering loudly.",
    "Hello",
    "Quarterly revenue rose 14 percent, driven by strong demand for cloud services in Europe and Asia.",
    "The quick brown fox jumps over the lazy dog. " * 8,
]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    pytest.importorskip("onnxruntime")
    from gateline.app.engine import EMBED_SOURCES
    from gateline.store.datadir import cache_dir
    from gateline.store.weights import WeightsStore

    return WeightsStore(cache_dir()).fetch(EMBED_SOURCES)


@pytest.fixture(scope="module")
def embed_model(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    from gateline.engine.embed import EmbedModel
    from gateline.engine.export import export_minilm

    graph = tmp_path_factory.mktemp("exports") / "minilm.onnx"
    export_minilm(files[0], graph)
    assert [path.name for path in graph.parent.iterdir()] == ["minilm.onnx"]
    assert graph.stat().st_size < 30_000_000
    return EmbedModel(graph, files[1])


def run(model: Any, *inputs: Any) -> list[Any]:
    """All inputs together, one request each; their vectors."""
    for key, texts in enumerate(inputs):
        model.admit(key, "/embeddings", msgspec.json.encode({"model": "m", "input": texts}))
    found: dict[int, Any] = {}
    while len(found) < len(inputs):
        for part in model.step().parts:
            assert (part.status, part.last) == (200, True)
            reply = msgspec.json.decode(part.data)
            found[part.key] = np.array([entry["embedding"] for entry in reply["data"]], np.float32)
    return [found[key] for key in range(len(inputs))]


def test_int8_stays_close_to_full_precision(embed_model: Any, files: list[Path], tmp_path: Path) -> None:
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file

    from gateline.engine.minilm import build_graph

    onnx.save(build_graph(load_file(files[0]), quantised=False), tmp_path / "full.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "full.onnx"), providers=["CPUExecutionProvider"])
    small = run(embed_model, TEXTS)[0]
    for text, vector in zip(TEXTS, small, strict=True):
        ids = np.array([embed_model._tokenizer.encode(text).ids])
        full = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
        assert float(vector @ full) >= 0.99
        assert abs(float(np.linalg.norm(vector)) - 1) < 1e-3


def test_a_vector_does_not_depend_on_who_is_in_the_batch(embed_model: Any) -> None:
    """The same text alone, again, and beside strangers' texts: equal alone, and as good as equal in a batch."""
    alone = [run(embed_model, text)[0][0] for text in TEXTS]
    again = [run(embed_model, text)[0][0] for text in TEXTS]
    batch = run(embed_model, *TEXTS)
    for one, two, (beside,) in zip(alone, again, batch, strict=True):
        assert np.array_equal(one, two)
        assert np.allclose(one, beside, atol=2e-3)
        assert float(one @ beside) > 0.9999


def test_like_texts_are_nearer_than_unlike_ones(embed_model: Any) -> None:
    cat, kitten, money = run(embed_model, ["A cat sleeps.", "A kitten is napping.", "Interest rates rose."])[0]
    assert cat @ kitten > 0.5 > cat @ money


def test_a_long_list_does_not_hold_up_a_short_request(embed_model: Any) -> None:
    """Requests take turns, text by text, and a step's size is bounded."""
    embed_model.admit(1, "/embeddings", msgspec.json.encode({"input": ["some words " * 30] * 40}))
    embed_model.admit(2, "/embeddings", msgspec.json.encode({"input": "short"}))
    step = embed_model.step()
    assert [part.key for part in step.parts] == [2]
    assert sum(step.load.values()) <= 512
    embed_model.cancel(1)
    assert embed_model.step().batch == 0


def test_a_text_beyond_the_models_length_is_refused(embed_model: Any) -> None:
    for text in ("word " * 600, "x" * 100_000):
        with pytest.raises(Refused) as caught:
            embed_model.admit(1, "/embeddings", msgspec.json.encode({"input": ["fine", text]}))
        assert caught.value.code == "context_length_exceeded"
        assert "512" in str(caught.value)
    assert embed_model.step().batch == 0

"""The one-time export of the embedding model, from its published weights to the ONNX file that is run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Part of the export's name: raised whenever the graph changes, so that an old file is never taken for a new one.
EXPORT_VERSION = 1


def export_minilm(weights: Path, target: Path) -> None:
    """Writes `target` (26 MB), whole or not at all. Takes about a second: call it in a thread."""
    import onnx
    from safetensors.numpy import load_file

    from gateline.engine.minilm import build_graph

    model = build_graph(load_file(weights))
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

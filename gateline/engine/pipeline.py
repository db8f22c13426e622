"""OpenVINO GenAI's continuous batching pipeline over a GGUF file: how it is loaded, set up and warmed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

CAPACITY = 32  # sequences a step; throughput grows little beyond 16 on one core
CACHE_GIB = 1  # keys and values: about 46,000 tokens of a 135M model, shared by all sequences
# Tokens a step. Prompts are read in pieces of what decoding leaves of it, so it bounds how long a step holds everybody
# else's next token: with 128 a long prompt made others wait 392 ms a step on an AVX2 core, with 64 217 ms, with 256
# 757 ms, and it read the prompt equally fast (1.4 s for 451 tokens) with each.
STEP_TOKENS = 64
MOST_THREADS = 4  # a step of a model this small is some 200 short products: more threads would wait, not work

Report = Callable[[str], None]


def load_pipeline(weights: Path, exports: Path, report: Report) -> Any:
    """A warm pipeline. Keeps OpenVINO's own form of the model in the folder `exports`: read from there, loading takes
    half the time (1.9 s against 4.5 s). `report` is told what is happening. Takes seconds and frees the interpreter
    lock for most of them: call it in a thread."""
    pipeline = None
    if exports.is_dir():
        report("loading")
        try:
            pipeline = _construct(exports)
        except RuntimeError:  # torn by a crash of the machine: it can be made again
            shutil.rmtree(exports, ignore_errors=True)
    if pipeline is None:
        report("loading and converting")
        pipeline = _convert(weights, exports)
    report("warming up")
    _warm(pipeline)
    return pipeline


def _construct(source: Path, *, save: bool = False) -> Any:
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = CACHE_GIB
    scheduler.max_num_seqs = CAPACITY
    scheduler.max_num_batched_tokens = STEP_TOKENS
    scheduler.enable_prefix_caching = True
    # Without ENABLE_CPU_PINNING=False every engine of a machine pins itself to core 0.
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": _threads(), "ENABLE_CPU_PINNING": False}
    keep = {"enable_save_ov_model": True} if save else {}
    return genai.ContinuousBatchingPipeline(str(source), scheduler, "CPU", settings | keep, keep)


def _threads() -> int:
    """The cores this process may use, at most `MOST_THREADS`. On two AVX2 cores a second thread takes 16 chats from 168
    to 244 tokens a second and one chat from 40 to 46 (steps without prompts)."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return min(cores, MOST_THREADS)


def _convert(weights: Path, exports: Path) -> Any:
    """Loads the GGUF file; what OpenVINO saves beside it goes into a folder that appears whole or not at all."""
    exports.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{exports.name}-", dir=exports.parent))
    try:
        link = making / "weights.gguf"
        link.symlink_to(weights)
        pipeline = _construct(link, save=True)
        link.unlink()
        making.replace(exports)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)
        if not exports.is_dir():  # else another process was first: ours runs from memory it has already mapped
            raise
    return pipeline


def _warm(pipeline: Any) -> None:
    """The first steps compile kernels (1.8 s) and the first grammar reads the vocabulary (1.5 s): nobody's request
    should wait for that."""
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.max_new_tokens = 3
    config.apply_chat_template = False
    config.structured_output_config = genai.StructuredOutputConfig(json_schema=json.dumps({"type": "boolean"}))
    handles = [pipeline.add_request(number, "Say yes or no. " * 3, config) for number in range(2)]
    while pipeline.has_non_finished_requests():
        pipeline.step()
    del handles

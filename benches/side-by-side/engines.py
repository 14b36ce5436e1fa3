"""Times one sentence encoder on the texts of texts.py, in a process of its own, and prints JSON.

    python engines.py ENGINE --models FOLDER --seconds 1

All take texts and give normalised means over the tokens of the last layer: tokenizer, network and pooling are inside
the measured time, as they are for candor. Method as `candor bench`: two calls unmeasured, then calls until the time
is up. FOLDER is what models.py prepared.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np

from texts import LENGTHS, SIZES


def open_torch(folder, kind):
    """PyTorch as most teams use it; half precision is what its documentation names for speed."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    model = SentenceTransformer(str(folder / "minilm"), device="cpu", model_kwargs={"dtype": kind})
    # With gradients off outside as well, nothing is switched per call.
    torch.set_grad_enabled(False)
    return lambda texts: model.encode(texts, show_progress_bar=False, normalize_embeddings=True).astype(np.float32)


def tokenized(folder, run):
    """Tokens padded to the longest text of the call only, then `run`, then the mean over the real tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "minilm" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding()

    def encode(texts):
        found = tokenizer.encode_batch(texts)
        ids = np.array([encoding.ids for encoding in found], np.int64)
        mask = np.array([encoding.attention_mask for encoding in found], np.int64)
        states = run({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
        means = (states * mask[:, :, None].astype(np.float32)).sum(1) / mask.sum(1, keepdims=True)
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    return encode


def open_onnxruntime(folder, file):
    """One thread, all graph optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(folder / file, options, providers=["CPUExecutionProvider"])
    wanted = {found.name for found in session.get_inputs()}
    first = session.get_outputs()[0].name
    return tokenized(folder, lambda inputs: session.run([first], {k: inputs[k] for k in wanted})[0])


def open_openvino(folder, file):
    """One thread, its latency hint; where the processor can, it computes in bfloat16 by itself."""
    import openvino as ov

    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    model = ov.Core().compile_model(folder / file, "CPU", settings)
    wanted = {found.any_name for found in model.inputs}
    request = model.create_infer_request()

    def run(inputs):
        request.infer({name: inputs[name] for name in wanted}, share_inputs=True)
        return request.get_output_tensor(0).data

    return tokenized(folder, run)


ENGINES = {
    "torch-f32": ("sentence-transformers", open_torch, "float32"),
    "torch-bf16": ("sentence-transformers", open_torch, "bfloat16"),
    "onnxruntime-f32": ("onnxruntime", open_onnxruntime, "f32-fused.onnx"),
    "onnxruntime-int8": ("onnxruntime", open_onnxruntime, "int8-fused.onnx"),
    "openvino-f32": ("openvino", open_openvino, "f32.onnx"),
    "openvino-int8": ("openvino", open_openvino, "int8.xml"),
}


def measure(encode, texts, size, seconds):
    """One case, as `measure` in src/cli/bench.rs."""

    def of_call(number):
        return [texts[(number * size + at) % len(texts)] for at in range(size)]

    encode(of_call(0))
    encode(of_call(1))
    times = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        call = of_call(2 + len(times))
        started = time.perf_counter()
        encode(call)
        times.append(time.perf_counter() - started)
    passed = time.perf_counter() - begin
    return {
        "size": size,
        "calls": len(times),
        "p50_ms": statistics.median(times) * 1000,
        "texts_per_second": len(times) * size / passed,
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("engine", choices=ENGINES)
    arguments.add_argument("--models", type=Path, required=True)
    arguments.add_argument("--seconds", type=float, default=1.0)
    given = arguments.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    package, load, what = ENGINES[given.engine]
    encode = load(given.models, what)
    texts = json.loads((given.models / "texts.json").read_text(encoding="utf-8"))
    cases = [
        {"tokens": tokens, **measure(encode, texts["lengths"][str(tokens)], size, given.seconds)}
        for tokens in LENGTHS
        for size in SIZES
    ]
    vectors = np.asarray(encode(texts["check"])).tolist()
    version = f"{package} {importlib.metadata.version(package)}"
    print(json.dumps({"version": version, "cases": cases, "vectors": vectors}))


if __name__ == "__main__":
    main()

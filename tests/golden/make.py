#!/usr/bin/env python3
"""What the sentence encoder says in PyTorch, for candor's f32 and int8 engines to be held against.

    python make.py [--model FOLDER] [--texts FILE] [--out FILE] [--upstream FOLDER]

Reads the weights of a candor model folder as they are stored (int8 rows with scales, made f32 again), runs the BERT on
them in PyTorch, f32, one text at a time, and writes for each text the mean of the last layer's states, of length 1, as
base64 of little-endian f32. A text with more tokens than the folder's max_tokens is read in even windows with both
marks, whose means weigh by their tokens. Texts are the lines of FILE; without it, those of sentences.txt and one long
text, into meaning.json. --upstream also prints how near the stored weights are to those they were made from
(model.safetensors).

Needs torch, tokenizers and safetensors. Nothing here is shared with the program but the files that it reads.
"""

import argparse
import base64
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "models" / "support-minilm"
STORY = (
    "I ordered a coat on Monday and paid for the quick delivery because I needed it for a funeral on Friday. "
    "On Wednesday the page still said that it was being packed, so I wrote to you and was told that it had left. "
    "It had not. On Thursday it went to a depot two hundred miles away, and on Friday morning I wore my brother's. "
    "The driver came on Saturday, rang nobody's bell and left the box behind the bins, where it rained on it. "
)


def stored(folder):
    """The tensors in f32: a matrix of levels times its rows' scales and its columns' factors, if it has some."""
    tensors = load_file(folder / "encoder.safetensors")
    values = {}
    for name, tensor in tensors.items():
        if tensor.dtype == torch.int8:
            tensor = tensor.float() * tensors[f"{name}.scale"][:, None] * tensors.get(f"{name}.factors", 1.0)
        values[name] = tensor
    return values


class Bert:
    """The encoder of Devlin et al. (2019) with absolute positions, without its pooler."""

    def __init__(self, config, tensors):
        self.config, self.tensors = config, tensors
        kind = config.get("model_type", "bert")
        self.offset = config["pad_token_id"] + 1 if "roberta" in kind else 0

    def linear(self, name, values):
        return functional.linear(values, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def norm(self, name, values):
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return functional.layer_norm(values, weight.shape, weight, bias, self.config["layer_norm_eps"])

    def heads(self, values):
        count = self.config["num_attention_heads"]
        return values.view(len(values), count, -1).transpose(0, 1)

    def layer(self, name, states):
        parts = (self.heads(self.linear(f"{name}.attention.self.{part}", states)) for part in ("query", "key", "value"))
        found = functional.scaled_dot_product_attention(*parts).transpose(0, 1).reshape(states.shape)
        states = self.norm(
            f"{name}.attention.output.LayerNorm", states + self.linear(f"{name}.attention.output.dense", found)
        )
        wide = functional.gelu(self.linear(f"{name}.intermediate.dense", states))
        return self.norm(f"{name}.output.LayerNorm", states + self.linear(f"{name}.output.dense", wide))

    def states(self, ids):
        """The last layer's states of one text's tokens."""
        tables = {kind: self.tensors[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")}
        places = torch.arange(len(ids)) + self.offset
        states = tables["word"][torch.tensor(ids)] + tables["position"][places] + tables["token_type"][0]
        states = self.norm("embeddings.LayerNorm", states)
        for layer in range(self.config["num_hidden_layers"]):
            states = self.layer(f"encoder.layer.{layer}", states)
        return states


def windows(ids, most):
    """A text's ids, or several windows of nearly the same length if there are too many."""
    start, inside, end = ids[:1], ids[1:-1], ids[-1:]
    count = max(1, -(-len(inside) // (most - 2)))
    if count == 1:
        return [ids]
    size = -(-len(inside) // count)
    return [start + inside[at : at + size] + end for at in range(0, len(inside), size)]


def meaning(bert, parts):
    total = sum(bert.states(part).mean(0) * len(part) for part in parts)
    return total / total.norm()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "meaning.json")
    parser.add_argument("--upstream", type=Path)
    args = parser.parse_args()

    file = args.texts or HERE / "sentences.txt"
    texts = [line for line in file.read_text("utf-8").split("\n") if line]
    if not args.texts:
        texts.append(STORY * 4)
    config = json.loads((args.model / "config.json").read_text("utf-8"))
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    bert = Bert(config, stored(args.model))
    upstream = args.upstream and Bert(config, load_file(args.upstream / "model.safetensors"))
    found, nearness = [], []
    with torch.inference_mode():
        for text in texts:
            parts = windows(tokenizer.encode(text).ids, config["candor"]["max_tokens"])
            vector = meaning(bert, parts)
            values = base64.b64encode(vector.numpy().astype("<f4").tobytes()).decode()
            found.append({"text": text, "windows": len(parts), "meaning": values})
            if upstream:
                nearness.append(float(vector @ meaning(upstream, parts)))
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in found)
    args.out.write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"{len(found)} texts, {sum(one['windows'] > 1 for one in found)} of them in windows, in {args.out}")
    if nearness:
        print(f"cosine with the weights before rounding: {min(nearness):.6f} lowest, {sum(nearness) / len(nearness):.6f} mean")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Golden numbers of transformer blocks from PyTorch in double, for tests/golden/test_golden_blocks.c.

generate_blocks.py [FOLDER]     write blocks.safetensors (default: beside this script); needs what generate.py needs

Tensors of a case are called CASE.x, CASE.memory, CASE.target for inputs, CASE.y, CASE.grad.x, CASE.grad.memory for
results (the loss is the mean squared error of y against target), and CASE.weights.NAME, CASE.grads.NAME for
parameters: under the names of PyTorch's state_dict, as floats where they are weights. The case "modern" has no such
module and names its parameters as the library does, which multiplies by them as they are.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden_case import write_safetensors
from golden_transformers import rotary_of, swiglu_of

STEPS, MEMORY_STEPS, BATCH, WIDTH, HEADS, HIDDEN = 5, 4, 3, 8, 2, 12  # as in test_golden_blocks.c
LENGTHS = [5, 2, 4]
MEMORY_LENGTHS = [2, 4, 1]


class Draw:
    """Floats widened to double, so that both sides start from the same numbers."""

    def __init__(self, name):
        self.random = np.random.default_rng(list(name.encode()))

    def __call__(self, *shape, low=-1.0, high=1.0):
        numbers = self.random.uniform(low, high, shape).astype(np.float32).astype(np.float64)
        return torch.tensor(numbers, requires_grad=True)


def fill(module, draw):
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 1.0 if parameter.dim() == 1 else parameter.shape[1] ** -0.5
            parameter.copy_((draw(*parameter.shape) * scale).float().double())


def finish(name, inputs, y, weights, draw):
    target = draw(*y.shape)
    loss = F.mse_loss(y, target)
    loss.backward()
    tensors = {f"{name}.target": target.detach().numpy(), f"{name}.y": y.detach().numpy()}
    for key, value in inputs.items():
        tensors[f"{name}.{key}"], tensors[f"{name}.grad.{key}"] = value.detach().numpy(), value.grad.numpy()
    for key, value in weights.items():
        tensors[f"{name}.weights.{key}"] = value.detach().float().numpy()
        tensors[f"{name}.grads.{key}"] = value.grad.numpy()
    return tensors


def causal_mask():
    return torch.ones(STEPS, STEPS, dtype=torch.bool).triu(1)


def encoder(name, norm_first, activation, causal, padded):
    draw = Draw(name)
    layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0.0, activation, norm_first=norm_first,
                                             dtype=torch.float64)
    fill(layer, draw)
    x = draw(STEPS, BATCH, WIDTH, low=-2.0, high=2.0)
    hidden = torch.arange(STEPS)[None] >= torch.tensor(LENGTHS)[:, None]
    y = layer(x, src_mask=causal_mask() if causal else None, src_key_padding_mask=hidden if padded else None)
    return finish(name, {"x": x}, y, dict(layer.named_parameters()), draw)


def decoder(name, norm_first, padded=False):
    draw = Draw(name)
    layer = torch.nn.TransformerDecoderLayer(WIDTH, HEADS, HIDDEN, 0.0, "gelu", norm_first=norm_first,
                                             dtype=torch.float64)
    fill(layer, draw)
    x, memory = draw(STEPS, BATCH, WIDTH, low=-2.0, high=2.0), draw(MEMORY_STEPS, BATCH, WIDTH, low=-2.0, high=2.0)
    hidden = torch.arange(MEMORY_STEPS)[None] >= torch.tensor(MEMORY_LENGTHS)[:, None]
    y = layer(x, memory, tgt_mask=causal_mask(), memory_key_padding_mask=hidden if padded else None)
    return finish(name, {"x": x, "memory": memory}, y, dict(layer.named_parameters()), draw)


def attention(name, cross, bias=True, features=None, of_all=False):
    """torch.nn.MultiheadAttention with padding and numbers added to the scores (CASE.bias; of_all: others for each
    sample and head), of x to itself or to keys and values, which may have features of their own."""
    draw = Draw(name)
    key_width, value_width = features or (WIDTH, WIDTH)
    layer = torch.nn.MultiheadAttention(WIDTH, HEADS, bias=bias, kdim=key_width, vdim=value_width,
                                        dtype=torch.float64)
    fill(layer, draw)
    inputs = {"x": draw(STEPS, BATCH, WIDTH, low=-2.0, high=2.0)}
    if cross:
        inputs["key"] = draw(STEPS, BATCH, key_width, low=-2.0, high=2.0)
        inputs["value"] = draw(STEPS, BATCH, value_width, low=-2.0, high=2.0)
    added = draw(*((BATCH * HEADS,) if of_all else ()), STEPS, STEPS).detach()
    hidden = torch.zeros(BATCH, STEPS, dtype=torch.float64)
    hidden[torch.arange(STEPS)[None] >= torch.tensor(LENGTHS)[:, None]] = -np.inf
    x = inputs["x"]
    y, _ = layer(x, inputs.get("key", x), inputs.get("value", x), key_padding_mask=hidden, attn_mask=added,
                 need_weights=False)
    tensors = finish(name, inputs, y, dict(layer.named_parameters()), draw)
    tensors[f"{name}.bias"] = added.numpy()
    return tensors


def modern(name):
    """RMS normalisation, rotary positions, one head of keys and values for two of queries, SwiGLU; samples first."""
    draw, head = Draw(name), WIDTH // HEADS
    shapes = {"norm1.gamma": (WIDTH,), "attention.qkv.W": (WIDTH, 2 * WIDTH), "attention.qkv.b": (2 * WIDTH,),
              "attention.out.W": (WIDTH, WIDTH), "attention.out.b": (WIDTH,), "norm2.gamma": (WIDTH,),
              "feed_forward.hidden.W": (WIDTH, 2 * HIDDEN), "feed_forward.out.W": (HIDDEN, WIDTH)}
    w = {key: draw(*shape) for key, shape in shapes.items()}
    x = draw(BATCH, STEPS, WIDTH, low=-2.0, high=2.0)

    def norm(value, gamma):
        return F.rms_norm(value, (WIDTH,), gamma, float(np.float32(1e-5)))

    qkv = norm(x, w["norm1.gamma"]) @ w["attention.qkv.W"] + w["attention.qkv.b"]
    qkv = rotary_of(qkv, HEADS + 1, head, 1).reshape(BATCH, STEPS, HEADS + 2, head).transpose(1, 2)
    attended = F.scaled_dot_product_attention(qkv[:, :HEADS], qkv[:, HEADS:HEADS + 1], qkv[:, HEADS + 1:],
                                              is_causal=True, enable_gqa=True)
    h = x + attended.transpose(1, 2).flatten(2) @ w["attention.out.W"] + w["attention.out.b"]
    y = h + swiglu_of(norm(h, w["norm2.gamma"]) @ w["feed_forward.hidden.W"]) @ w["feed_forward.out.W"]
    return finish(name, {"x": x}, y, w, draw)


def main(folder):
    torch.set_num_threads(1)
    tensors = {}
    tensors.update(encoder("encoder_post", False, "relu", False, True))
    tensors.update(encoder("encoder_pre", True, "gelu", True, False))
    tensors.update(decoder("decoder_post", False))
    tensors.update(decoder("decoder_pre", True))
    tensors.update(decoder("decoder_padded", True, True))
    tensors.update(modern("modern"))
    tensors.update(attention("attention_self", False))
    tensors.update(attention("attention_plain", False, bias=False))
    tensors.update(attention("attention_cross", True))
    tensors.update(attention("attention_features", True, features=(6, 4)))
    tensors.update(attention("attention_samples", True, of_all=True))
    write_safetensors(os.path.join(folder, "blocks.safetensors"), tensors)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))

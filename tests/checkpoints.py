"""Checkpoints as `transformers` saves them: the oracle, and what a published repository holds."""

import json

import torch
import transformers
from safetensors.torch import save_file

# What the published repositories hold besides the weights: an early format, with the size as a number.
PUBLISHED_PREPROCESSING = {
    "do_normalize": True,
    "do_resize_crop": True,
    "feature_extractor_type": "PoolFormerFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "size": 224,
}

SMALL = {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 10]}


def build_oracle(depths, hidden_sizes, labels=1000, **fields):
    """transformers' classifier, each parameter with random numbers of its own, of a size that keeps logits small."""
    names = {i: f"thing {i}" for i in range(labels)}
    config = transformers.PoolFormerConfig(
        depths=list(depths),
        hidden_sizes=list(hidden_sizes),
        id2label=names,
        label2id={v: k for k, v in names.items()},
        **fields,
    )
    with torch.device("meta"):
        model = transformers.PoolFormerForImageClassification(config)
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1 << 22, generator=generator)
    for name, parameter in model.named_parameters():
        start = int(torch.randint(noise.numel() - parameter.numel(), (1,), generator=generator))
        values = noise[start : start + parameter.numel()].view_as(parameter)
        if parameter.ndim > 1:
            torch.mul(values, parameter[0].numel() ** -0.5, out=parameter)
        elif "norm.weight" in name:
            parameter.copy_(1 + 0.1 * values)
        else:  # biases and layer scales
            parameter.copy_(0.1 * values)
    return model


def write_checkpoint(folder, oracle, crop_pct=0.9, pickled=False):
    """What a published repository holds."""
    oracle.config.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**PUBLISHED_PREPROCESSING, "crop_pct": crop_pct}))
    if pickled:
        torch.save(oracle.state_dict(), folder / "pytorch_model.bin")
    else:
        save_file(oracle.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def assert_same_logits(model, oracle, picture):
    with torch.no_grad():
        torch.testing.assert_close(model(picture).logits, oracle(picture).logits, atol=1e-4, rtol=0)

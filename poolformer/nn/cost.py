"""What a network costs, counted from its config alone: parameters, and multiply-accumulates for a picture of any size.

The published MACs of PoolFormer were counted by fvcore (github.com/facebookresearch/fvcore, `fvcore/nn/flop_count.py`
and `jit_handles.py`), which takes a multiplication with its addition for one operation. It counts

- one for every product in a convolution, a linear layer or a product of matrices; biases are free;
- five for every number that a normalisation with weight and bias puts out;
- nothing for anything else: pooling, activations, softmax, layer scales, residual sums and the mean before the head.

So does this module, and gives the two apart. The first is half of what `torch.utils.flop_counter` says of the real
network, exactly: that counts the same products, each as two operations, and no norm. Their sum has the printed digits
of the papers: 1.8, 3.4, 5.0, 8.8 and 11.6 G for s12 to m48 (without norms m48 would have 11.5), and, in the ablation of
arXiv:2111.11418 (table 5), 1.8 G for s12 with the identity or a convolution and 3.3 G with random matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

from poolformer.nn.config import PoolFormerConfig
from poolformer.nn.layout import stage_sizes
from poolformer.nn.mixer_facts import MIXER_FACTS

NORM_OPERATIONS = 5  # for one number, fvcore's estimate


@dataclass(frozen=True)
class MacCount:
    """Multiply-accumulates for one picture.

    products: of convolutions, linear layers and products of matrices, attention's two and the random mixer's included.
    norms: the operations of all norms, five for each number that they put out.
    """

    products: int
    norms: int

    @property
    def total(self) -> int:
        """What fvcore counts, and the papers print."""
        return self.products + self.norms


def parameter_count(config: PoolFormerConfig) -> int:
    """The number of parameters of the classifier that `config` describes, all of them trained.

    >>> f"{parameter_count(PoolFormerConfig(num_labels=1000)):,}"
    '11,915,176'
    """
    mixer = MIXER_FACTS[config.token_mixer]
    slopes = 1 if config.hidden_act == "prelu" else 0  # the only activation that learns: one number an MLP
    vectors = 6 if config.use_layer_scale else 4  # a channel's share of two norms and two layer scales
    total, channels = 0, config.num_channels
    for width, depth, patch_size in zip(config.hidden_sizes, config.depths, config.patch_sizes, strict=True):
        hidden = int(width * config.mlp_ratio)
        mlp = 2 * width * hidden + hidden + width + slopes
        total += (channels * patch_size**2 + 1) * width + depth * (mlp + vectors * width + mixer.weights(config, width))
        channels = width
    return total + 2 * channels + (channels + 1) * config.num_labels


def frozen_count(config: PoolFormerConfig) -> int:
    """How many numbers the checkpoint holds that are never trained: the random mixer's matrices, 0 for the others.

    >>> s12 = PoolFormerConfig(token_mixer="random", image_size=224)
    >>> f"{frozen_count(s12):,}"  # 21 M in table 5 of arXiv:2111.11418
    '21,133,602'
    """
    if config.token_mixer != "random" or config.image_size is None:
        return 0
    sizes = stage_sizes(config, config.image_size, config.image_size)
    return sum(depth * (height * width) ** 2 for depth, (height, width) in zip(config.depths, sizes, strict=True))


def mac_count(config: PoolFormerConfig, height_px: int, width_px: int) -> MacCount:
    """Multiply-accumulates of the classifier for one picture of `height_px` x `width_px` pixels.

    With the random mixer, of a network that was built for this size.

    Raises:
        ImageError: the picture is too small for a cell in every stage.

    >>> count = mac_count(PoolFormerConfig(num_labels=1000), 224, 224)
    >>> count.products, count.norms
    (1812267008, 10411520)
    """
    mixer = MIXER_FACTS[config.token_mixer]
    products, normed, channels = 0, 0, config.num_channels
    for i, (height, width) in enumerate(stage_sizes(config, height_px, width_px)):
        places, depth, new_channels = height * width, config.depths[i], config.hidden_sizes[i]
        embedding = channels * new_channels * config.patch_sizes[i] ** 2
        mlp = 2 * new_channels * int(new_channels * config.mlp_ratio)
        mixing = mixer.weights(config, new_channels) + mixer.products(new_channels, places)
        products += places * (embedding + depth * (mlp + mixing))
        normed += places * new_channels * 2 * depth
        channels = new_channels
    normed += places * channels  # the final norm
    return MacCount(products + channels * config.num_labels, NORM_OPERATIONS * normed)

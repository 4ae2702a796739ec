"""TokenPose-S: a transformer whose tokens are patches of an image and keypoints (Li et al., ICCV 2021).

Described in protocols 1.3. In shapes, J is the number of keypoints, V the number of patches, N = J + V, and D the
length of a token. Layers have the names of the published weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.pose.models.backbone import backbone
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import PoseModel
from bench.pose.models.network import NetworkShape
from bench.pose.models.stem import STEM_CHANNELS, add_stem, stem_maps
from bench.pose.models.tokens import heatmap_widths, hidden_width, map_size, patch_grid
from bench.pose.outputs import Coordinates

__all__ = ["PrefixedTokenPose", "TokenPose", "sine_embedding"]

_STD = 0.02
_LONGEST_PERIOD = 10_000


class TokenPose(PoseModel):
    """Stem to stride 4, a linear layer on each patch, and pre-norm transformer layers; keypoints' tokens are read out.

    The head is shared by all keypoints: layer normalization and a linear layer to each classification, or one or two
    such pairs to a heatmap. There is no dropout and no ImageNet start.

    Args:
        shape: of the network.
        norm_layer: makes each batch normalization.
        patch: cells (height, width) of the stem's maps that make a visual token.
        dim: length of a token.
        depth: number of transformer layers.
        heads: attention heads per layer.
    """

    def __init__(
        self, shape: NetworkShape, norm_layer: NormLayer, *, patch: tuple[int, int], dim: int, depth: int, heads: int
    ) -> None:
        super().__init__()
        self.keypoints = shape.keypoints
        self.patch, self.grid = patch, patch_grid(shape.input_size, patch)
        self.keypoint_token = nn.Parameter(torch.empty(1, shape.keypoints, dim))
        # A parameter rather than a buffer, because the published weights count and store it as one.
        self.pos_embedding = nn.Parameter(sine_embedding(*self.grid, dim), requires_grad=False)
        patch_height, patch_width = patch
        self.patch_to_embedding = nn.Linear(patch_height * patch_width * STEM_CHANNELS, dim)
        add_stem(self, norm_layer)
        self.transformer = _Transformer(dim, depth, heads)
        self.map_size = map_size(shape.input_size)
        self.mlp_head_x: nn.Module | None = None
        self.mlp_head_y: nn.Module | None = None
        if shape.bins is None:
            self.mlp_head = _head(*heatmap_widths(shape.input_size, dim))
        else:
            self.mlp_head_x, self.mlp_head_y = (_head(dim, bins) for bins in shape.bins)
        self.draw_own_weights()

    @torch.no_grad()
    def draw_own_weights(self) -> None:
        """Draw what every initialization scheme shares: the keypoints' tokens and the linear layers, biases at zero.

        Weights are from N(0, 0.02) (truncated at +-2, as is usual and without effect), as in the reference; the
        position embedding gets its fixed values back. Convolutions and normalization stay as they are.
        """
        nn.init.trunc_normal_(self.keypoint_token, std=_STD)
        self.pos_embedding.copy_(sine_embedding(*self.grid, self.pos_embedding.shape[-1]))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=_STD)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor | Coordinates:
        """Heatmaps [B, J, H/4, W/4], or `Coordinates` of logits, of normalized images [B, 3, H, W]."""
        keypoints = self.keypoint_tokens(images)
        if self.mlp_head_x is None or self.mlp_head_y is None:
            heatmaps: Tensor = self.mlp_head(keypoints)
            return heatmaps.unflatten(2, self.map_size)
        return Coordinates(x=self.mlp_head_x(keypoints), y=self.mlp_head_y(keypoints))

    def keypoint_tokens(self, images: Tensor) -> Tensor:
        """The keypoints' tokens [B, J, D] after the last layer, of normalized images [B, 3, H, W]."""
        patches = self._patches(stem_maps(self, images))
        visual = self.patch_to_embedding(patches) + self.pos_embedding
        keypoints = self.keypoint_token.expand(len(images), -1, -1)
        tokens: Tensor = self.transformer(torch.cat([keypoints, visual], dim=1), self.pos_embedding)
        return tokens[:, : self.keypoints]

    def _patches(self, maps: Tensor) -> Tensor:
        """Patches [B, V, cells * C] of maps [B, C, H/4, W/4], both in row-major order, channels fastest."""
        (rows, columns), (height, width) = self.grid, self.patch
        patches = maps.unflatten(3, (columns, width)).unflatten(2, (rows, height))  # [B, C, rows, h, columns, w]
        return patches.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


class PrefixedTokenPose(PoseModel):
    """`TokenPose` with `features.` before the name of every weight, as the published heatmap weights have it."""

    def __init__(self, network: TokenPose) -> None:
        super().__init__()
        self.features = network

    def forward(self, images: Tensor) -> Tensor | Coordinates:
        """See `TokenPose.forward`."""
        output: Tensor | Coordinates = self.features(images)
        return output


@backbone(
    "tokenpose_s",
    title="TokenPose-S",
    outputs=("maps", "coordinates"),
    input_sizes=((64, 64), (128, 128), (256, 192)),
    patches={(64, 64): (1, 1), (128, 128): (2, 2), (256, 192): (4, 3)},
    dim=192,
    depth=12,
    heads=8,
)
def tokenpose(
    shape: NetworkShape,
    norm_layer: NormLayer,
    *,
    patches: Mapping[tuple[int, int], tuple[int, int]],
    dim: int,
    depth: int,
    heads: int,
) -> PoseModel:
    """TokenPose under the names of the published weights.

    Args:
        shape: of the network.
        norm_layer: makes each batch normalization.
        patches: cells (height, width) of a patch for each input size. Only the largest has a published configuration;
            of the others, these patches alone have the published numbers of parameters and GFLOPs. All three give 256
            visual tokens.
        dim: length of a token.
        depth: number of transformer layers.
        heads: attention heads per layer.
    """
    network = TokenPose(shape, norm_layer, patch=patches[shape.input_size], dim=dim, depth=depth, heads=heads)
    return network if shape.bins else PrefixedTokenPose(network)


def sine_embedding(rows: int, columns: int, dim: int) -> Tensor:
    """Fixed embedding [1, rows * columns, dim] of the positions of a grid, in row-major order.

    The first half of a vector encodes the row and the second the column, each counted from 1 and scaled to a full
    turn: pairs of sine and cosine of wave lengths that grow geometrically from one to 10,000 turns.
    """
    half = dim // 2
    periods = _LONGEST_PERIOD ** (torch.arange(0, half, 2) / half)

    def encode(count: int) -> Tensor:
        turns = torch.arange(1, count + 1) / (count + 1e-6)  # the reference's guard against an empty grid
        angles = 2 * torch.pi * turns[:, None] / periods
        return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)

    down = encode(rows)[:, None].expand(rows, columns, half)
    across = encode(columns)[None].expand(rows, columns, half)
    return torch.cat([down, across], dim=2).flatten(0, 1)[None]


class _Transformer(nn.Module):
    """Layers of attention and two linear layers each; patches get their position again before all but the first."""

    def __init__(self, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([_Residual(dim, _Attention(dim, heads)), _Residual(dim, _feed_forward(dim))])
            for _ in range(depth)
        )

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Tokens [B, N, D] after all layers; `positions` [1, V, D] belong to the last V tokens."""
        keypoints = tokens.size(1) - positions.size(1)
        everywhere = F.pad(positions, (0, 0, keypoints, 0))
        for index, steps in enumerate(self.layers):
            if index > 0:
                tokens = tokens + everywhere
            for step in steps.children():
                tokens = step(tokens)
        return tokens


class _Residual(nn.Module):
    """A layer on normalized tokens, added to the tokens."""

    def __init__(self, dim: int, layer: nn.Module) -> None:
        super().__init__()
        self.fn = nn.Sequential(OrderedDict(norm=nn.LayerNorm(dim), fn=layer))

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = tokens + self.fn(tokens)
        return result


class _Attention(nn.Module):
    """Self-attention of all tokens, scaled by the token's length and not, as usual, the head's.

    Written as matrix products, which are deterministic on every device and which the work counter sees.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim))  # a sequence of one, as the published names have it

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, D] after attention to all tokens [B, N, D]."""
        dim = tokens.shape[-1]
        split = self.to_qkv(tokens).unflatten(2, (3, self.heads, dim // self.heads))  # [B, N, 3, heads, D/heads]
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind()
        weights = (query @ key.transpose(2, 3) * dim**-0.5).softmax(dim=3)
        result: Tensor = self.to_out((weights @ value).transpose(1, 2).flatten(2))
        return result


def _feed_forward(dim: int) -> nn.Sequential:
    """Two linear layers; the identity takes the place of the published sequence's dropout, which is not used."""
    hidden = hidden_width(dim)
    net = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, dim))
    return nn.Sequential(OrderedDict(net=net))


def _head(*widths: int) -> nn.Sequential:
    """Layer normalization and a linear layer from each width to the next."""
    pairs = ((nn.LayerNorm(inputs), nn.Linear(inputs, outputs)) for inputs, outputs in pairwise(widths))
    return nn.Sequential(*(layer for pair in pairs for layer in pair))

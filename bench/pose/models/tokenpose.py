"""TokenPose-S: a transformer whose tokens are patches of an image and keypoints (Li et al., ICCV 2021).

Described in protocols 1.3; sizes are in `bench.pose.models.tokens`. In shapes, J is the number of keypoints, V the
number of patches, N = J + V, and D the length of a token. Layers have the names of the published weights.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import Coordinates, PoseModel
from bench.pose.models.spec import ModelSpec
from bench.pose.models.stem import STEM_CHANNELS, add_stem, stem_maps
from bench.pose.models.tokens import DEPTH, DIM, HEADS, HIDDEN, PATCHES, heatmap_widths, map_size, patch_grid

__all__ = ["PrefixedTokenPose", "TokenPose", "sine_embedding"]

_STD = 0.02
_LONGEST_PERIOD = 10_000


class TokenPose(PoseModel):
    """Stem to stride 4, a linear layer on each patch, and 12 pre-norm transformer layers; joints' tokens are read out.

    The head is shared by all keypoints: layer normalization and a linear layer to each classification, or one or two
    such pairs to a heatmap. There is no dropout and no ImageNet start.
    """

    def __init__(self, spec: ModelSpec, norm_layer: NormLayer) -> None:
        super().__init__()
        self.keypoints = spec.keypoints
        self.patch, self.grid = PATCHES[spec.input_size], patch_grid(spec.input_size)
        self.keypoint_token = nn.Parameter(torch.empty(1, spec.keypoints, DIM))
        # A parameter rather than a buffer, because the published weights count and store it as one.
        self.pos_embedding = nn.Parameter(sine_embedding(*self.grid, DIM), requires_grad=False)
        patch_height, patch_width = self.patch
        self.patch_to_embedding = nn.Linear(patch_height * patch_width * STEM_CHANNELS, DIM)
        add_stem(self, norm_layer)
        self.transformer = _Transformer()
        self.map_size = map_size(spec.input_size)
        self.mlp_head_x: nn.Module | None = None
        self.mlp_head_y: nn.Module | None = None
        if spec.bins is None:
            self.mlp_head = _head(*heatmap_widths(spec.input_size))
        else:
            self.mlp_head_x, self.mlp_head_y = (_head(DIM, bins) for bins in spec.bins)
        self.draw_tokens()

    @torch.no_grad()
    def draw_tokens(self) -> None:
        """Draw what every initialization scheme shares: the joints' tokens and the linear layers, biases at zero.

        Weights are from N(0, 0.02) (truncated at +-2, as is usual and without effect), as in the reference; the
        position embedding gets its fixed values back. Convolutions and normalization stay as they are.
        """
        nn.init.trunc_normal_(self.keypoint_token, std=_STD)
        self.pos_embedding.copy_(sine_embedding(*self.grid, DIM))
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
        """The joints' tokens [B, J, D] after the last layer, of normalized images [B, 3, H, W]."""
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

    def __init__(self, spec: ModelSpec, norm_layer: NormLayer) -> None:
        super().__init__()
        self.features = TokenPose(spec, norm_layer)

    def forward(self, images: Tensor) -> Tensor | Coordinates:
        """See `TokenPose.forward`."""
        output: Tensor | Coordinates = self.features(images)
        return output


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
    """Twelve times attention and two linear layers; patches are told their position again before all but the first."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([_Residual(_Attention()), _Residual(_feed_forward())]) for _ in range(DEPTH)
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
    """Add to the tokens what a layer makes of their normalization."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.fn = nn.Sequential(OrderedDict(norm=nn.LayerNorm(DIM), fn=layer))

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = tokens + self.fn(tokens)
        return result


class _Attention(nn.Module):
    """Self-attention of all tokens in 8 heads, scaled by the token's length and not, as usual, the head's.

    Written as matrix products, which are deterministic on every device and which the work counter sees.
    """

    def __init__(self) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(DIM, 3 * DIM, bias=False)
        self.to_out = nn.Sequential(nn.Linear(DIM, DIM))  # a sequence of one, as the published names have it

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, D] of [B, N, D]."""
        split = self.to_qkv(tokens).unflatten(2, (3, HEADS, DIM // HEADS))  # [B, N, 3, heads, D/heads]
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind()
        weights = (query @ key.transpose(2, 3) * DIM**-0.5).softmax(dim=3)
        result: Tensor = self.to_out((weights @ value).transpose(1, 2).flatten(2))
        return result


def _feed_forward() -> nn.Sequential:
    """Two linear layers; places 2 and 4 of the published sequence held dropout, of which there is none."""
    net = nn.Sequential(nn.Linear(DIM, HIDDEN), nn.GELU(), nn.Identity(), nn.Linear(HIDDEN, DIM))
    return nn.Sequential(OrderedDict(net=net))


def _head(*widths: int) -> nn.Sequential:
    """Layer normalization and a linear layer from each width to the next."""
    pairs = ((nn.LayerNorm(inputs), nn.Linear(inputs, outputs)) for inputs, outputs in pairwise(widths))
    return nn.Sequential(*(layer for pair in pairs for layer in pair))

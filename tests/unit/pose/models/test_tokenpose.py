"""TokenPose against a direct reading of its description, and the weights that it starts with."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.pose.errors import CheckpointError
from bench.pose.models.build import build_model, initialize, load_trunk
from bench.pose.models.network import INITIALIZATIONS
from bench.pose.models.stem import stem_maps
from bench.pose.models.tokenpose import PrefixedTokenPose, TokenPose, sine_embedding

KEYPOINTS = 5
DIM, HEADS, LAYERS = 192, 8, 12


@pytest.fixture
def model() -> TokenPose:
    torch.manual_seed(0)
    network = build_model("tokenpose_s", "simdr", keypoints=KEYPOINTS, input_size=(256, 192), split_ratio=1).eval()
    initialize(network, scheme="kaiming")
    assert isinstance(network, TokenPose)
    return network


def test_forward_pass_is_the_described_one(model: TokenPose) -> None:
    image = torch.randn(1, 3, 256, 192)
    with torch.no_grad():
        expected = described_tokens(model, stem_maps(model, image)[0])
        torch.testing.assert_close(model.keypoint_tokens(image)[0], expected, rtol=1e-4, atol=1e-5)
        output = model(image)
        torch.testing.assert_close(output.x[0], model.mlp_head_x[1](model.mlp_head_x[0](expected)))
        torch.testing.assert_close(output.y[0], model.mlp_head_y[1](model.mlp_head_y[0](expected)))


def described_tokens(model: TokenPose, maps: Tensor) -> Tensor:
    """Joints' tokens [J, D] of stem maps [C, 64, 48], one patch, one head and one step at a time (protocols 1.3)."""
    weights = model.state_dict()
    patches = [
        maps[:, top : top + 4, left : left + 3].permute(1, 2, 0).flatten()
        for top in range(0, 64, 4)
        for left in range(0, 48, 3)
    ]
    position = weights["pos_embedding"][0]
    visual = F.linear(torch.stack(patches), weights["patch_to_embedding.weight"], weights["patch_to_embedding.bias"])
    tokens = torch.cat([weights["keypoint_token"][0], visual + position])
    for layer in range(LAYERS):
        if layer > 0:
            tokens = torch.cat([tokens[:KEYPOINTS], tokens[KEYPOINTS:] + position])
        own = {
            key.removeprefix(f"transformer.layers.{layer}."): value
            for key, value in weights.items()
            if key.startswith(f"transformer.layers.{layer}.")
        }
        tokens = tokens + attention(own, normalize(own, "0.fn.norm", tokens))
        hidden = F.gelu(linear(own, "1.fn.fn.net.0", normalize(own, "1.fn.norm", tokens)))
        tokens = tokens + linear(own, "1.fn.fn.net.3", hidden)
    return tokens[:KEYPOINTS]


def attention(own: dict[str, Tensor], tokens: Tensor) -> Tensor:
    queries, keys, values = (tokens @ own["0.fn.fn.to_qkv.weight"].T).split(DIM, dim=1)
    heads = []
    for head in range(HEADS):
        part = slice(head * DIM // HEADS, (head + 1) * DIM // HEADS)
        scores = queries[:, part] @ keys[:, part].T / math.sqrt(DIM)
        heads.append(scores.softmax(dim=1) @ values[:, part])
    return linear(own, "0.fn.fn.to_out.0", torch.cat(heads, dim=1))


def linear(own: dict[str, Tensor], name: str, tokens: Tensor) -> Tensor:
    return F.linear(tokens, own[f"{name}.weight"], own[f"{name}.bias"])


def normalize(own: dict[str, Tensor], name: str, tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, (DIM,), own[f"{name}.weight"], own[f"{name}.bias"])


def test_positions_are_sines_and_cosines_of_row_and_column() -> None:
    rows, columns, dim = 3, 4, 8
    embedding = sine_embedding(rows, columns, dim)
    assert embedding.shape == (1, rows * columns, dim)
    for row in range(rows):
        for column in range(columns):
            expected = []
            for turn in (2 * math.pi * (row + 1) / rows, 2 * math.pi * (column + 1) / columns):
                for period in (1, 10_000**0.5):
                    expected += [math.sin(turn / period), math.cos(turn / period)]
            found = embedding[0, row * columns + column]
            torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheme", INITIALIZATIONS)
@pytest.mark.parametrize("representation", ["heatmap", "simdr"])
def test_first_weights(scheme: str, representation: str) -> None:
    ratio = None if representation == "heatmap" else 1
    model = build_model("tokenpose_s", representation, keypoints=KEYPOINTS, input_size=(64, 64), split_ratio=ratio)
    torch.manual_seed(0)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.fill_(7)
    initialize(model, scheme=scheme)
    network = model.features if isinstance(model, PrefixedTokenPose) else model
    assert network.keypoint_token.std().item() == pytest.approx(0.02, rel=0.1)
    assert torch.equal(network.pos_embedding, sine_embedding(16, 16, DIM))
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.bias is None or not layer.bias.any()
        elif isinstance(layer, nn.LayerNorm | nn.BatchNorm2d):
            assert (layer.weight == 1).all()
            assert not layer.bias.any()
        elif isinstance(layer, nn.Conv2d) and layer.weight.numel() > 10_000:
            fan_out = layer.out_channels * layer.kernel_size[0] ** 2
            expected = 0.001 if scheme == "reference" else (2 / fan_out) ** 0.5
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("representation", ["heatmap", "simdr_star"])
def test_there_is_no_imagenet_start(representation: str) -> None:
    ratio = None if representation == "heatmap" else 2
    model = build_model("tokenpose_s", representation, keypoints=KEYPOINTS, input_size=(64, 64), split_ratio=ratio)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"no ImageNet weights.*set `initialization` to reference or kaiming"):
        load_trunk(model, {})
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(("size", "maps"), [((64, 64), (16, 16)), ((128, 128), (32, 32)), ((256, 192), (64, 48))])
def test_heatmaps_of_every_size(size: tuple[int, int], maps: tuple[int, int]) -> None:
    with torch.device("meta"):
        model = build_model("tokenpose_s", "heatmap", keypoints=KEYPOINTS, input_size=size)
        assert model(torch.zeros(2, 3, *size)).shape == (2, KEYPOINTS, *maps)
        assert model(torch.zeros(1, 3, *size)).shape == (1, KEYPOINTS, *maps)


def test_heatmaps_learn_with_every_weight_and_positions_stay() -> None:
    torch.manual_seed(0)
    model = build_model("tokenpose_s", "heatmap", keypoints=KEYPOINTS, input_size=(64, 64))
    initialize(model, scheme="kaiming")
    model(torch.randn(2, 3, 64, 64)).pow(2).sum().backward()
    still = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert still == ["features.pos_embedding"]

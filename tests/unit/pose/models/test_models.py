"""Building networks, what they return, and the weights that they start with."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from bench.pose.complexity import Complexity, measure, published_convention
from bench.pose.errors import CheckpointError, UnknownNameError
from bench.pose.models.backbone import BACKBONES
from bench.pose.models.batch_norm import ReplicaBatchNorm2d
from bench.pose.models.build import build_model, initialize, load_trunk
from bench.pose.models.heads import PoseModel
from bench.pose.outputs import Coordinates
from bench.pose.torchvision_shim import torchvision_models

SIZE = (64, 96)
KEYPOINTS = 5
FAMILIES = ["simba_res18", "simba_res50_upsample_free", "hrnet_w32", "tokenpose_s"]
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def build(
    backbone: str = "simba_res18",
    representation: str = "heatmap",
    k: float | None = None,
    replicas: int = 1,
    world_size: int = 1,
) -> PoseModel:
    size = size_of(backbone)
    return build_model(
        backbone,
        representation,
        keypoints=KEYPOINTS,
        input_size=size,
        split_ratio=k,
        replicas=replicas,
        world_size=world_size,
    )


def size_of(backbone: str) -> tuple[int, int]:
    """Height and width that tell the axes apart, where the backbone has a small such size."""
    known = BACKBONES.get(backbone)
    return ((known and known.input_sizes) or (SIZE,))[0]


def images(count: int = 1, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


# What networks return.


@pytest.mark.parametrize("backbone", [name for name, known in BACKBONES.items() if "maps" in known.outputs])
def test_heatmaps_have_a_quarter_of_the_input_size(backbone: str) -> None:
    height, width = size_of(backbone)
    with torch.device("meta"):
        model, batch = build(backbone), torch.zeros(2, 3, height, width)
    assert model(batch).shape == (2, KEYPOINTS, height // 4, width // 4)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("representation", ["simdr", "simdr_star"])
def test_coordinates_have_k_bins_per_pixel(backbone: str, representation: str) -> None:
    height, width = size_of(backbone)
    with torch.device("meta"):
        model, batch = build(backbone, representation, k=1.5), torch.zeros(2, 3, height, width)
    output = model(batch)
    assert isinstance(output, Coordinates)
    assert output.x.shape == (2, KEYPOINTS, 1.5 * width)
    assert output.y.shape == (2, KEYPOINTS, 1.5 * height)


@pytest.mark.parametrize("backbone", FAMILIES)
def test_batch_of_one_equals_its_place_in_a_batch(backbone: str) -> None:
    torch.manual_seed(0)
    model = build(backbone, "simdr", k=2).eval()
    initialize(model, scheme="kaiming")
    batch = images(3, size_of(backbone))
    with torch.no_grad():
        alone, together = model(batch[1:2]).x, model(batch).x[1:2]
    # Rounding differs with the size of the batch, and untrained networks return large numbers near zero ones.
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-3 * together.abs().max().item())


def test_head_classifies_each_flattened_map_alike() -> None:
    model = build(representation="simdr", k=2).eval()
    heatmaps = build().eval()
    heatmaps.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("mlp_head")})
    with torch.no_grad():
        output, maps = model(images()), heatmaps(images())
        for keypoint in range(KEYPOINTS):
            row_major = maps[:, keypoint].reshape(1, -1)
            torch.testing.assert_close(output.x[:, keypoint], model.mlp_head_x(row_major))
            torch.testing.assert_close(output.y[:, keypoint], model.mlp_head_y(row_major))


@pytest.mark.parametrize("backbone", FAMILIES)
def test_training_reaches_every_parameter(backbone: str) -> None:
    model = build(backbone, "simdr", k=1, replicas=2)
    initialize(model, scheme="kaiming")
    output = model(images(4, size_of(backbone)))
    (output.x.pow(2).sum() + output.y.pow(2).sum()).backward()
    learnt = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert not [name for name, gradient in learnt.items() if gradient is None or not gradient.any()]


# What cannot be built.


def test_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown backbone 'hrnet_w23'.*did you mean 'hrnet_w32'"):
        build("hrnet_w23")


def test_unknown_representation_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown representation 'sim_dr'.*did you mean 'simdr'"):
        build(representation="sim_dr")


@pytest.mark.parametrize("size", [(64, 100), (0, 64), (-32, 64)])
def test_size_must_be_a_multiple_of_32(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive multiples of 32"):
        build_model("simba_res18", "heatmap", keypoints=KEYPOINTS, input_size=size)


@pytest.mark.parametrize("representation", ["simdr", "simdr_star"])
@pytest.mark.parametrize("ratio", [None, 0, -1.0, 0.01, float("inf"), float("nan")])
def test_coordinates_need_a_split_ratio(representation: str, ratio: float | None) -> None:
    with pytest.raises(ValueError, match=f"{representation} needs a positive split_ratio"):
        build(representation=representation, k=ratio)


def test_heatmaps_take_no_split_ratio() -> None:
    with pytest.raises(ValueError, match="split_ratio does not apply to heatmap"):
        build(k=2)


def test_keypoints_and_replicas_are_positive() -> None:
    with pytest.raises(ValueError, match="keypoints must be at least 1, got 0"):
        build_model("simba_res18", "heatmap", keypoints=0, input_size=SIZE)
    with pytest.raises(ValueError, match="replicas must be at least 1, got 0"):
        build(replicas=0)


# Batch normalization.


@pytest.mark.parametrize("backbone", ["simba_res50", "hrnet_w32", "tokenpose_s"])
def test_replicas_change_every_normalization_and_no_weight_name(backbone: str) -> None:
    with torch.device("meta"):
        one, four, group = build(backbone), build(backbone, replicas=4), build(backbone, world_size=2)
    layers = [layer for layer in four.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert layers
    assert all(isinstance(layer, ReplicaBatchNorm2d) and layer.replicas == 4 for layer in layers)
    assert not any(isinstance(layer, ReplicaBatchNorm2d) for layer in one.modules())
    assert one.state_dict().keys() == four.state_dict().keys() == group.state_dict().keys()
    layers = [layer for layer in group.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(isinstance(layer, ReplicaBatchNorm2d) and layer.replicas == 1 for layer in layers)


# First weights.


@pytest.mark.parametrize("scheme", ["reference", "kaiming"])
@pytest.mark.parametrize("backbone", ["simba_res18", "hrnet_w32", "tokenpose_s"])
def test_initialization_depends_on_the_seed_alone(backbone: str, scheme: str) -> None:
    drawn = []
    for seed in (1, 1, 2):
        model = build(backbone, "simdr", k=1)
        with torch.no_grad():
            for value in model.state_dict().values():
                value.fill_(7)  # earlier weights and statistics must leave no trace
        torch.manual_seed(seed)
        initialize(model, scheme=scheme)
        drawn.append(weights(model))
    assert same(drawn[0], drawn[1])
    assert not same(drawn[0], drawn[2])


@pytest.mark.parametrize("backbone", ["simba_res18", "hrnet_w32"])
def test_reference_scheme(backbone: str) -> None:
    torch.manual_seed(0)
    model = build(backbone, "simdr", k=1)
    initialize(model, scheme="reference")
    for layer in model.modules():
        if isinstance(layer, CONVOLUTIONS) and layer.weight.numel() > 10_000:
            assert layer.weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert_normalizations_are_the_identity(model)
    assert_linear_layers_have_torch_default(model)


def test_only_simple_baselines_keep_a_random_final_bias() -> None:
    torch.manual_seed(0)
    simba, hrnet = build("simba_res18"), build("hrnet_w32")
    initialize(simba, scheme="reference")
    initialize(hrnet, scheme="reference")
    bound = simba.final_layer.in_channels**-0.5
    assert 0 < simba.final_layer.bias.abs().max() <= bound
    assert not hrnet.final_layer.bias.any()


@pytest.mark.parametrize("backbone", ["simba_res18", "hrnet_w32"])
def test_kaiming_scheme(backbone: str) -> None:
    torch.manual_seed(0)
    model = build(backbone, "simdr", k=1)
    initialize(model, scheme="kaiming")
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 10_000:
            fan_out = layer.out_channels * layer.kernel_size[0] * layer.kernel_size[1]
            assert layer.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
    assert model.final_layer.weight.abs().max() < 0.01
    assert not model.final_layer.bias.any()
    assert_normalizations_are_the_identity(model)
    assert_linear_layers_have_torch_default(model)


def test_unknown_scheme_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown initialization scheme 'he'"):
        initialize(build(), scheme="he")


def assert_normalizations_are_the_identity(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all()
            assert not layer.bias.any()
            assert not layer.running_mean.any()
            assert (layer.running_var == 1).all()


def assert_linear_layers_have_torch_default(model: PoseModel) -> None:
    for head in (model.mlp_head_x, model.mlp_head_y):
        bound = head.in_features**-0.5
        for values in (head.weight, head.bias):
            assert values.abs().max() <= bound
            assert values.std().item() == pytest.approx(bound / 3**0.5, rel=0.2)


# ImageNet weights.


def classifier() -> dict[str, Tensor]:
    """Weights as an early classifier has them: with a classification layer, without counters of batches."""
    torch.manual_seed(3)
    state = torchvision_models().resnet18().state_dict()
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def test_trunk_takes_the_classifier_and_the_rest_is_drawn() -> None:
    model, source = build(representation="simdr", k=1), classifier()
    torch.manual_seed(0)
    load_trunk(model, source)
    loaded = model.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in source.items() if not key.startswith("fc."))
    assert loaded["deconv_layers.0.weight"].std().item() == pytest.approx(0.001, rel=0.05)
    assert loaded["final_layer.weight"].std().item() == pytest.approx(0.001, rel=0.2)
    assert not loaded["final_layer.bias"].any()
    assert_linear_layers_have_torch_default(model)


def test_branches_that_are_not_computed_are_ignored() -> None:
    model = build("hrnet_w32")
    source = weights(build("hrnet_w32"))
    source["stage4.2.fuse_layers.1.0.0.0.weight"] = torch.zeros(64, 32, 3, 3)
    load_trunk(model, source)
    loaded = model.state_dict()
    assert torch.equal(loaded["stage4.2.fuse_layers.0.3.0.weight"], source["stage4.2.fuse_layers.0.3.0.weight"])
    assert not torch.equal(loaded["final_layer.weight"], source["final_layer.weight"])


def test_missing_entries_are_named_and_nothing_changes() -> None:
    model, source = build(), classifier()
    before = weights(model)
    del source["layer4.1.conv2.weight"]
    with pytest.raises(CheckpointError, match=r"lack .*: layer4\.1\.conv2\.weight$"):
        load_trunk(model, source)
    assert same(weights(model), before)


def test_wrong_shapes_are_named_and_nothing_changes() -> None:
    model, source = build(), classifier()
    before = weights(model)
    source["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    with pytest.raises(CheckpointError, match=r"conv1\.weight \[64, 1, 7, 7\] instead of \[64, 3, 7, 7\]"):
        load_trunk(model, source)
    assert same(weights(model), before)


def test_long_lists_of_missing_entries_are_cut() -> None:
    with pytest.raises(CheckpointError, match=r"conv1\.weight, bn1\.weight.* and \d+ more"):
        load_trunk(build(), {})


# Counting.


def test_measuring_leaves_the_network_as_it_was() -> None:
    model = build()
    model.layer1.eval()
    before = weights(model)
    measure(model, SIZE)
    assert same(weights(model), before)
    assert model.training
    assert not model.layer1.training
    assert not any(layer._forward_hooks for layer in model.modules())


def test_counts_of_single_layers() -> None:
    upwards = nn.ConvTranspose2d(3, 2, kernel_size=4, stride=2, padding=1)
    assert measure(upwards, (8, 6)) == Complexity(
        params=3 * 2 * 16 + 2, multiply_adds=48 * 3 * 2 * 16, published_convention=4 * 48 * 3 * 2 * 16
    )
    linear = nn.Linear(6, 10)  # on [1, 3, 8, 6]: 24 rows, of which the second dimension is 3
    assert published_convention(linear, (8, 6)) == 3 * 8 * 10 * 3


# Imports.


def test_planning_imports_no_torch() -> None:
    code = (
        "import sys, bench.pose.models; from bench.planning.predicted_complexity import predict;"
        "predict('hrnet_w48', 'simdr', keypoints=17, input_size=(256, 192), split_ratio=2);"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torchvision_models_import_once() -> None:
    assert torchvision_models() is torchvision_models()
    assert torchvision_models() is sys.modules["torchvision.models"]

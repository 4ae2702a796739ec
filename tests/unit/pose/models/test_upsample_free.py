"""Simple Baselines without transposed convolutions, and what backbones of few input sizes refuse."""

from collections.abc import Callable

import pytest
import torch

from bench.planning.predicted_complexity import predict
from bench.pose.models.backbone import BACKBONES, network_shape
from bench.pose.models.build import build_model, initialize, load_trunk
from bench.pose.models.heads import MapModel
from bench.pose.torchvision_shim import torchvision_models

KEYPOINTS = 5
UPSAMPLE_FREE = "simba_res50_upsample_free"
MAPS_PER_KEYPOINT = BACKBONES[UPSAMPLE_FREE].sizes["maps_per_keypoint"]
MAKERS = [build_model, predict, network_shape]


def build(size: tuple[int, int] = (64, 64)) -> MapModel:
    model = build_model(UPSAMPLE_FREE, "simdr", keypoints=KEYPOINTS, input_size=size, split_ratio=1)
    assert isinstance(model, MapModel)
    return model


@pytest.mark.parametrize("size", MAPS_PER_KEYPOINT)
def test_several_maps_per_keypoint_at_stride_32(size: tuple[int, int]) -> None:
    height, width = size
    with torch.device("meta"):
        model = build(size)
    assert model.final_layer.out_channels == KEYPOINTS * MAPS_PER_KEYPOINT[size]
    assert model.mlp_head_x.in_features == MAPS_PER_KEYPOINT[size] * height // 32 * width // 32
    assert not [name for name in model.state_dict() if name.startswith("deconv")]


def test_head_classifies_the_maps_of_each_keypoint_alike() -> None:
    torch.manual_seed(0)
    model = build((256, 192)).eval()
    initialize(model, scheme="kaiming")
    image = torch.randn(2, 3, 256, 192)
    with torch.no_grad():
        output, maps = model(image), model.final_layer(model.feature_maps(image))
        for keypoint in range(KEYPOINTS):
            own = maps[:, 28 * keypoint : 28 * (keypoint + 1)].flatten(1)
            torch.testing.assert_close(output.x[:, keypoint], model.mlp_head_x(own))
            torch.testing.assert_close(output.y[:, keypoint], model.mlp_head_y(own))


def test_it_takes_the_trunk_of_resnet_50() -> None:
    model = build()
    torch.manual_seed(3)
    source = torchvision_models().resnet50().state_dict()
    load_trunk(model, source)
    loaded = model.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in source.items() if not key.startswith("fc."))
    assert loaded["final_layer.weight"].std().item() == pytest.approx(0.001, rel=0.05)
    assert not loaded["final_layer.bias"].any()


@pytest.mark.parametrize("make", MAKERS)
def test_it_has_no_heatmap(make: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"has no heatmap.*valid representations: simcc, simdr, simdr_star$"):
        make(UPSAMPLE_FREE, "heatmap", keypoints=KEYPOINTS, input_size=(64, 64))


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("backbone", "size"), [(UPSAMPLE_FREE, (384, 288)), ("tokenpose_s", (192, 256))])
def test_sizes_that_a_backbone_lacks_are_refused(
    make: Callable[..., object], backbone: str, size: tuple[int, int]
) -> None:
    message = f"{backbone} has no form for input size {size[0]}x{size[1]}; valid (HxW): 64x64, 128x128, 256x192"
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared in full
        make(backbone, "simdr", keypoints=KEYPOINTS, input_size=size, split_ratio=1)
    assert str(caught.value) == message

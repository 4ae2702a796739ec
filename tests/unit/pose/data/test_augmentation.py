"""Random views: their bounds, their probabilities, and that a generator decides them."""

from math import erf, sqrt
from typing import Any

import numpy as np
import pytest

from bench.pose.data.augmentation import Augmentation, View, augment, flip_keypoints, half_body
from bench.pose.geometry import box_to_center_scale
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16, Skeleton

SIZE = (64, 64)
DRAWS = 4000
TOLERANCE = 0.03
"""Four standard deviations of a frequency among so many draws are at most this."""

STILL = Augmentation(flip_probability=0, scale_factor=0, rotation_probability=0, half_body_probability=0)
VIEW = View(*box_to_center_scale([10, 10, 100, 200], SIZE))
UPPER = np.array(COCO_17.upper_body)
KEYPOINTS = np.where(UPPER[:, None], [[60.0, 40.0]], [[60.0, 160.0]]) + np.arange(17)[:, None]
"""The upper body's keypoints lie above y = 100, the others below."""


def views(draws: int = DRAWS, visible: np.ndarray | None = None, **changes: Any) -> list[View]:
    """Views of one instance with consecutive draws of one generator."""
    rng = np.random.default_rng(0)
    visible = np.ones(17, dtype=bool) if visible is None else visible
    settings = Augmentation(**(vars(STILL) | changes))
    return [
        augment(VIEW, KEYPOINTS, visible, settings=settings, skeleton=COCO_17, size=SIZE, rng=rng) for _ in range(draws)
    ]


def share(flags: Any) -> float:
    return float(np.mean(list(flags)))


def test_without_augmentation_the_view_is_the_instance_s_own() -> None:
    for view in views(20):
        np.testing.assert_array_equal(view.center, VIEW.center)
        np.testing.assert_array_equal(view.scale, VIEW.scale)
        assert (view.rotation, view.flipped) == (0.0, False)


@pytest.mark.parametrize(("coin", "probability"), [("normal", (1 + erf(0.5 / sqrt(2))) / 2), ("uniform", 0.5)])
def test_the_half_body_coin(coin: str, probability: float) -> None:
    """The reference draws from a normal distribution where a uniform one was meant (behaviour D1)."""
    upper = share(view.center[1] < 100 for view in views(half_body_probability=1, half_body_coin=coin))
    assert upper == pytest.approx(probability, abs=TOLERANCE)


def test_half_bodies_need_more_visible_keypoints_than_the_minimum() -> None:
    for count, expected in [(8, 0.0), (9, 0.3)]:
        visible = np.arange(17) < count
        found = views(visible=visible, half_body_probability=0.3, half_body_min_keypoints=8)
        assert share(not np.array_equal(view.center, VIEW.center) for view in found) == pytest.approx(
            expected, abs=TOLERANCE
        )


def test_scale_is_clipped_where_a_third_of_the_draws_lie() -> None:
    factors = np.array([view.scale[0] / VIEW.scale[0] for view in views(scale_factor=0.35)])
    assert factors.min() == pytest.approx(0.65)
    assert factors.max() == pytest.approx(1.35)
    assert share(np.isclose(factors, 0.65) | np.isclose(factors, 1.35)) == pytest.approx(0.3173, abs=TOLERANCE)
    assert factors.mean() == pytest.approx(1, abs=0.02)


def test_rotation_is_clipped_at_twice_its_deviation() -> None:
    angles = np.array([view.rotation for view in views(rotation_factor=40, rotation_probability=0.6)])
    assert share(angles != 0) == pytest.approx(0.6, abs=TOLERANCE)
    assert (angles.min(), angles.max()) == (-80, 80)
    assert share(np.abs(angles[angles != 0]) == 80) == pytest.approx(0.0455, abs=TOLERANCE)


def test_flip_probability() -> None:
    assert share(view.flipped for view in views(flip_probability=0.5)) == pytest.approx(0.5, abs=TOLERANCE)
    assert not any(view.flipped for view in views(100, flip_probability=0))
    assert all(view.flipped for view in views(100, flip_probability=1))


def test_the_generator_decides_everything() -> None:
    def draw(seed: int) -> list[float]:
        view = augment(
            VIEW,
            KEYPOINTS,
            UPPER,
            settings=Augmentation(),
            skeleton=COCO_17,
            size=SIZE,
            rng=np.random.default_rng(seed),
        )
        return [*view.center.tolist(), *view.scale.tolist(), view.rotation, view.flipped]

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(20)}) == 20


@pytest.mark.parametrize(
    ("upper", "lower", "prefer_upper", "taken"),
    [
        (5, 5, True, "upper"),
        (5, 5, False, "lower"),
        (2, 5, True, "lower"),
        (5, 2, False, "upper"),
        (2, 2, False, "upper"),
        (1, 2, True, None),
        (0, 0, True, None),
    ],
)
def test_the_half_that_is_taken(upper: int, lower: int, prefer_upper: bool, taken: str | None) -> None:
    visible = np.zeros(17, dtype=bool)
    visible[np.flatnonzero(UPPER)[:upper]] = visible[np.flatnonzero(~UPPER)[:lower]] = True
    found = half_body(KEYPOINTS, visible, COCO_17, SIZE, prefer_upper=prefer_upper)
    if taken is None:
        assert found is None
    else:
        chosen = KEYPOINTS[visible & (UPPER if taken == "upper" else ~UPPER)]
        center, scale = found
        np.testing.assert_allclose(center, chosen.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(scale * 200, 1.5 * np.ptp(chosen, axis=0).max(), rtol=1e-6)


@pytest.mark.parametrize("skeleton", [COCO_17, MPII_16, CROWDPOSE_14], ids=lambda skeleton: skeleton.name)
def test_flipping_twice_changes_nothing(skeleton: Skeleton) -> None:
    rng = np.random.default_rng(0)
    keypoints, visible = rng.random((skeleton.size, 2)) * 50, rng.random(skeleton.size) < 0.5
    once = flip_keypoints(keypoints, visible, 50, skeleton)
    twice = flip_keypoints(*once, 50, skeleton)
    np.testing.assert_allclose(twice[0], keypoints)
    np.testing.assert_array_equal(twice[1], visible)
    left, right = skeleton.index("left_knee"), skeleton.index("right_knee")
    np.testing.assert_allclose(once[0][left], [49 - keypoints[right, 0], keypoints[right, 1]])
    assert once[1][left] == visible[right]

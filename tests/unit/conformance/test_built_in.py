"""Every built-in entry keeps to what is asked of extensions."""

from pathlib import Path

import pytest

from bench.conformance.backbone_checks import backbone_checks
from bench.conformance.codec_checks import codec_checks
from bench.conformance.dataset_checks import dataset_checks
from bench.conformance.executor_checks import executor_checks
from bench.conformance.format_checks import SampleReports, format_checks
from bench.conformance.metric_checks import metric_checks
from bench.planning.executors import EXECUTORS
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.datasets import DATASETS
from bench.pose.metrics.own import OwnMetric, Results
from bench.pose.models.backbone import BACKBONES
from bench.pose.scoring import Scoring
from bench.report.formats import FORMATS
from tests.unit import tiny_datasets
from tests.unit.conformance.verdicts import assert_kept, results

QUICK = {
    "simba_tiny": (),
    "simba_res50": ("normalization",),
    "simba_res50_upsample_free": ("shapes", "gradients", "normalization"),
    "hrnet_w32": ("normalization",),
    "tokenpose_s": ("shapes", "normalization"),
    "timm/mobilenetv3_small_100": ("normalization", "cost"),
}
"""What is looked at in every run of the tests, of one backbone of each family; nothing named is everything."""


@pytest.mark.parametrize(("name", "checks"), QUICK.items(), ids=QUICK)
def test_backbones(name: str, checks: tuple[str, ...]) -> None:
    assert_kept(backbone_checks(name), only=checks)


TIMM = (
    "mobilenetv3_small_100",
    "tf_efficientnet_lite0",
    "vit_tiny_patch16_224",
    "convnext_atto",
    "resnet18",
    "hrnet_w32",
)
"""A model of timm's of each family that is said to work."""


@pytest.mark.conformance
@pytest.mark.parametrize("name", [*BACKBONES, *(f"timm/{model}" for model in TIMM)])
def test_backbones_in_everything(name: str) -> None:
    assert_kept(backbone_checks(name))


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_representations(name: str) -> None:
    assert all(result.verdict == "ok" for result in assert_kept(codec_checks(name)))


def coco(folder: Path) -> None:
    tiny_datasets.coco_test_dev(folder)


@pytest.mark.parametrize(
    ("name", "make", "splits", "skipped"),
    [
        ("coco", coco, ["train2017"], 0),
        ("coco", coco, ["test-dev2017"], 6),  # its instances are not published
        ("crowdpose", tiny_datasets.crowdpose, ["trainval", "test"], 0),
        ("mpii", tiny_datasets.mpii, ["train", "valid"], 1),  # nothing to score predictions on "train" by
    ],
)
def test_datasets(name: str, make: object, splits: list[str], skipped: int, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path)
    found = assert_kept(dataset_checks(DATASETS[name], tmp_path, splits))
    assert sum(result.verdict == "skipped" for result in found) == skipped


def test_the_synthetic_dataset(data_root: Path) -> None:
    found = assert_kept(dataset_checks(DATASETS["synthetic"], data_root / "synthetic", ["val16"]))
    assert all(result.verdict == "ok" for result in found)


def test_the_skeleton_of_every_dataset(tmp_path: Path) -> None:
    for info in DATASETS.values():
        assert_kept(dataset_checks(info, tmp_path, []))


def test_the_metrics_of_the_protocols_as_metrics_of_an_extension() -> None:
    def headline(found: Results, scoring: Scoring) -> float:
        metrics = scoring.metrics(found)
        return metrics.get("AP", metrics.get("Mean", -1.0))

    found = assert_kept(metric_checks(OwnMetric("headline", headline)))
    assert len(found) == 1 + 3 * 3


@pytest.fixture(scope="module")
def reports() -> SampleReports:
    return SampleReports()


@pytest.mark.parametrize("name", FORMATS)
def test_report_formats(name: str, reports: SampleReports) -> None:
    assert_kept(format_checks(FORMATS[name], reports))


def test_the_local_executor() -> None:
    assert [result.verdict for result in results(executor_checks(EXECUTORS["local"]))] == ["ok"] * 3


def test_the_executor_of_a_cluster_waits_for_its_profile() -> None:
    assert {result.verdict for result in results(executor_checks(EXECUTORS["slurm"]))} == {"skipped"}

"""Modules that suites name: what they add, what they may not, and where it is found again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.extensions import Extensions, content_hash
from bench.pose.errors import ExtensionError, UnknownNameError
from bench.pose.registry import Registry
from tests.command import bench

SUITE = """
name: own
title: Something of one's own
extensions: [{module}]
dataset: {{name: synthetic, train: train48, eval: val16}}
train:
  recipe: corrected
  axes: {{backbone: [{backbone}], representation: [{representation}], input_size: [64x64]}}
  set:
    - {{initialization: kaiming, epochs: 1, milestones: [], batch_size: 16, replicas: 1, split_ratio: 2, sigma: 2}}
evaluate:
  - {{boxes: gt}}
tables:
  - {{id: own, metrics: [AP, {metric}]}}
"""

MODULE = """
from bench.extend import backbone, codec, executor, metric, report_format


@backbone("own_network", title="OwnNet", outputs=["coordinates"], input_sizes=[(64, 64)])
def network(shape, norm_layer):
    from bench.pose.models.backbone import BACKBONES

    return BACKBONES["simba_tiny"].build(shape, norm_layer)


@codec("own_codec", output="coordinates", settings=["sigma"], title="own codec")
def own_codec(input_size, flip_indices, *, split_ratio, sigma, flip_shift):
    from bench.pose.codecs.simdr import SimDRCodec

    return SimDRCodec(input_size, flip_indices, split_ratio=split_ratio, flip_shift=flip_shift)


@metric("spread", title="spread", decimals=2)
def spread(results, scoring):
    return float(len(results))


@executor("nobody")
def nobody(request):
    print("asked for", len(request.jobs()), "jobs", request.profile)
    return 7


@report_format("txt", pictures=False)
def text(report):
    yield "report.txt", report.title.encode()
"""


def write(folder: Path, code: str = MODULE, **names: str) -> Path:
    (folder / "own_module.py").write_text(code, encoding="utf-8")
    suite = folder / "own.yaml"
    given = {
        "module": "own_module",
        "backbone": "own_network",
        "representation": "own_codec",
        "metric": "spread",
    } | names
    suite.write_text(SUITE.format(**given), encoding="utf-8")
    return suite


def test_a_suite_may_name_what_its_modules_add(tmp_path: Path) -> None:
    done = bench("plan", write(tmp_path), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (training,) = json.loads(done.stdout)["trainings"]
    assert (training["backbone"], training["representation"]) == ("own_network", "own_codec")
    assert training["params"] > 1e6
    assert training["gflops"]["multiply_adds"] > 0


CROWDED = """
from bench.extend import dataset
from bench.pose.skeletons import CROWDPOSE_14


@dataset("own_crowd", skeleton=CROWDPOSE_14, protocol="crowdpose")
def own_crowd(folder, split): ...
"""


def test_a_dataset_s_protocol_decides_its_evaluator(tmp_path: Path) -> None:
    suite = write(tmp_path, CROWDED + MODULE, metric="AP_H")
    suite.write_text(suite.read_text().replace("{name: synthetic,", "{name: own_crowd,"), encoding="utf-8")
    code = """
import sys
from pathlib import Path
from bench.suite.expansion import expand
from bench.suite.schema import load_suite

print(*(spec.evaluator for cell in expand(load_suite(Path(sys.argv[1]))).cells for spec in cell.evaluations))
"""
    command = [sys.executable, "-c", code, str(suite)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "crowdpose\n"), done.stderr


def test_modules_beside_the_suite_come_last(tmp_path: Path) -> None:
    """A file named like a library beside a suite replaces nothing, not even what is imported after the suite."""
    write(tmp_path)
    (tmp_path / "fvcore.py").write_text("raise SystemExit('the wrong module')")
    assert bench("plan", tmp_path / "own.yaml", cwd=tmp_path.parent).returncode == 0


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            {"backbone": "own_netwrok"},
            "own.yaml:8: backbone: unknown backbone 'own_netwrok' (did you mean 'own_network'?)",
        ),
        ({"representation": "own_codex"}, "unknown representation 'own_codex' (did you mean 'own_codec'?)"),
        (
            {"representation": "heatmap"},
            "own_network has no heatmap; valid representations: simcc, simdr, simdr_star, own_codec",
        ),
        ({"metric": "spreed"}, "unknown metric 'spreed' (did you mean 'spread'?)"),
        (
            {"module": "absent"},
            "own.yaml:4: extension 'absent': there is no module 'absent'; install it, or put it beside",
        ),
        (
            {"module": "own-module"},
            "own.yaml:4: extensions: 'own-module' is not a valid module name, expected for example my_network",
        ),
    ],
)
def test_what_is_registered_is_listed(names: dict[str, str], message: str, tmp_path: Path) -> None:
    done = bench("plan", write(tmp_path, **names), cwd=tmp_path)
    assert done.returncode == 3
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("def broken(:\n", "own_module.py:1: SyntaxError"),
        ("import os\n\nraise RuntimeError('not today')\n", "own_module.py:3: RuntimeError: not today"),
        ("import not_there\n", "own_module.py:1: No module named 'not_there'"),
        (
            "from bench.extend import backbone\n@backbone('hrnet_w32')\ndef network(shape, norm_layer): ...\n",
            "own_module: there is a backbone 'hrnet_w32' already, by bench itself; choose another name",
        ),
        (
            "from bench.extend import metric\n@metric('AP75')\ndef ap(results, scoring): ...\n",
            "own_module: there is a metric 'AP75' already",
        ),
        (
            "from bench.extend import codec\n@codec('x', output='maps', settings=['sigmas'])\ndef x(s, m): ...\n",
            "representation 'x': there is no setting 'sigmas'; valid: heatmap_center",
        ),
        (
            "from bench.extend import metric\n@metric('a b')\ndef ab(results, scoring): ...\n",
            "own_module: metric 'a b' must be named by letters, digits and underscores",
        ),
    ],
)
def test_a_broken_module_is_named_with_its_line(module: str, message: str, tmp_path: Path) -> None:
    done = bench("plan", write(tmp_path, module), cwd=tmp_path)
    assert done.returncode == 3
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_executors_and_formats_of_extensions(tmp_path: Path) -> None:
    suite = write(tmp_path)
    done = bench("run", suite, "--executor", "nobody", "--profile", "mine.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (7, "asked for 1 jobs mine.yaml\n")
    done = bench("report", suite, "--format", "txt,csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports/own/report.txt").read_text() == "Something of one's own"
    refused = bench("run", suite, "--executor", "nobodies", cwd=tmp_path)
    assert "unknown executor 'nobodies' (did you mean 'nobody'?); valid: local, nobody, slurm" in refused.stderr
    refused = bench("report", suite, "--format", "text", cwd=tmp_path)
    assert "unknown report format 'text'" in refused.stderr


def test_a_format_stays_in_its_folder(tmp_path: Path) -> None:
    module = MODULE.replace('"report.txt"', '"../elsewhere.txt"')
    done = bench("report", write(tmp_path, module), "--format", "txt", cwd=tmp_path)
    assert done.returncode == 3
    assert "writes '../elsewhere.txt', which is outside of the report's folder" in done.stderr
    assert not list(tmp_path.rglob("elsewhere.txt"))


def test_an_installed_package_needs_no_mention(tmp_path: Path) -> None:
    """Entry points are read from the metadata that installers leave beside a package."""
    suite = write(tmp_path)
    suite.write_text(suite.read_text().replace("extensions: [own_module]\n", ""))
    metadata = tmp_path / "own-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[bench.extensions]\nown = own_module\n")
    code = f"import sys; sys.path.append({str(tmp_path)!r}); sys.argv = ['bench', 'plan', 'own.yaml'];"
    command = [sys.executable, "-c", f"{code} from bench.cli import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "own_module.py").write_text("1 / 0")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 3
    assert "extension 'own_module' of package own cannot be imported" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_names_are_taken_once() -> None:
    registry: Registry[int] = Registry("number", {"one": 1})
    registry.add("two", 2, test_names_are_taken_once)
    with pytest.raises(ExtensionError, match=f"there is a number 'two' already, by {__name__}"):
        registry.add("two", 3, test_names_are_taken_once)
    with pytest.raises(UnknownNameError, match=r"unknown number 'tow' .*'two'.*; valid: one, two"):
        registry.named("tow")
    assert (dict(registry), registry.origin("one"), registry.origin("two")) == ({"one": 1, "two": 2}, None, __name__)


def test_the_hash_is_of_the_code(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("one = 1")
    before = content_hash(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__/left.pyc").write_bytes(b"compiled")
    assert content_hash(package) == before
    (package / "__init__.py").write_text("one = 2")
    assert content_hash(package) != before


def test_what_is_no_name_is_no_module() -> None:
    with pytest.raises(ExtensionError, match=r"'\.\./evil' is not a valid module name"):
        Extensions.of(["../evil"])


def test_less_of_an_error_is_more(tmp_path: Path) -> None:
    """Bold is the lowest value of such a metric, and a baseline regresses when it rises."""
    write(tmp_path, MODULE.replace('title="spread"', 'title="spread", lower_is_better=True'))
    code = """
import own_module
from bench.compare.gate.baseline import Limit
from bench.compare.gate.cell_checks import MetricCheck, _judge
from bench.pose.metrics.catalog import best_of

assert (best_of("spread", [3.0, 1.0, 2.0]), best_of("AP", [3.0, 1.0, 2.0])) == (1.0, 3.0)
for metric, rises, falls in (("spread", "regressed", "improved"), ("AP", "improved", "regressed")):
    blank, limit = MetricCheck("cell", (), metric, "holds"), Limit("tolerance", 0.1, "down")
    verdicts = [_judge(blank, limit, [1.0], [now]).verdict for now in (2.0, 0.5, 1.05)]
    assert verdicts == [rises, falls, "holds"], verdicts
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("old", "command"),
    [
        ("    from bench.pose.models.backbone import BACKBONES\n", ["plan", "own.yaml"]),
        ('    print("asked for"', ["run", "own.yaml", "--executor", "nobody"]),
        ('    yield "report.txt"', ["report", "own.yaml", "--format", "txt"]),
    ],
    ids=["backbone", "executor", "format"],
)
def test_an_error_of_an_extension_is_told_with_its_line(old: str, command: list[str], tmp_path: Path) -> None:
    assert MODULE.count(old) == 1
    broken = MODULE.replace(old, f'    raise RuntimeError("not today")\n{old}')
    done = bench(*command, cwd=write(tmp_path, broken).parent)
    line = broken.splitlines().index('    raise RuntimeError("not today")') + 1
    assert done.returncode == 1
    assert f"error: an extension failed: {tmp_path}/own_module.py:{line}: RuntimeError: not today" in done.stderr
    assert "Traceback" not in done.stderr


def test_records_name_the_code_that_runs(tmp_path: Path) -> None:
    """What is edited while it runs is not what ran."""
    write(tmp_path)
    code = """
from pathlib import Path
from bench.extensions import Extensions, content_hash, sources_of_results

file = Path("own_module.py")
running = content_hash(file.absolute())
Extensions(modules=("own_module",), folder=Path.cwd()).load()
file.write_text("edited = True")
assert sources_of_results() == {"own_module": running} != {"own_module": content_hash(file.absolute())}
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_a_representation_s_setting_cannot_have_the_name_of_all_trainings(tmp_path: Path) -> None:
    module = MODULE.replace('settings=["sigma"]', 'settings={"sigma": "positive", "epochs": "count"}')
    done = bench("plan", write(tmp_path, module), cwd=tmp_path)
    assert done.returncode == 3
    assert "own.yaml:4: a representation has a setting 'epochs', which all trainings or evaluations" in done.stderr

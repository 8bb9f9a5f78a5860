#!/usr/bin/env bash
# Everything that needs a CUDA device, in one call: checks, then times. From the repository's root:
#   PYTHON=python3 bash benchmarks/gpu.sh
# The rows go to benchmarks/results, or to the folder in $OUT.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
export PYTHONPATH=src
"$python" -c 'import torch; assert torch.cuda.is_available(), "there is no CUDA device"' || exit 1
"$python" -m pytest -q tests/verbs/test_cuda.py
failed=$?
for name in resnets inference scaling; do
    "$python" "benchmarks/$name.py" --short --device cuda --threads 4 || failed=1
done
if [ -n "${OUT:-}" ]; then cp benchmarks/results/*.csv "$OUT"; fi
exit $failed

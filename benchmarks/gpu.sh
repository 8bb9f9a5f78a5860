#!/usr/bin/env bash
# Everything that needs a CUDA device, in one call: checks, then times. From the repository's root:
#   PYTHON=python3 bash benchmarks/gpu.sh [STEP …]
# all steps, or those that are named (see the end).
# One step that fails or hangs does not spoil the rest, and all of it ends within $LIMIT seconds.
# New rows go to benchmarks/results; they and the logs also to the folder $OUT, if there is one. In a
# copy without git's files, $COMMIT says of which commit the rows are. DEVICE=cpu tries the script.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
device=${DEVICE:-cuda}
threads=4
[ "$device" = cuda ] || threads=1
wanted=" $* "
ends=${LIMIT:-440} # seconds after the start, on bash's own clock
results=benchmarks/results
logs=${OUT:-$(mktemp -d)}
export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 MPLBACKEND=Agg
failed=0

# step NAME SECONDS COMMAND…: stdout is shown, of a failure also the end of stderr
step() {
    local name=$1 limit=$2 began=$SECONDS code
    shift 2
    [ "$wanted" = "  " ] || [[ "$wanted" = *" $name "* ]] || return
    [ $((ends - SECONDS)) -ge "$limit" ] || limit=$((ends - SECONDS))
    echo "=== $name"
    if [ "$limit" -lt 15 ]; then
        echo "left out: the time is over"
        failed=1
        return
    fi
    timeout -k 5 "$limit" "$@" >"$logs/$name.out" 2>"$logs/$name.err"
    code=$?
    { echo "=== $name"; cat "$logs/$name.out" "$logs/$name.err"; } >>"$logs/gpu.log"
    tail -c 4500 "$logs/$name.out"
    [ $code = 0 ] || failed=1
    if [ $code != 0 ] || grep -q "left out" "$logs/$name.err"; then
        grep -A 6 "left out" "$logs/$name.err" | cut -c 1-300 | tail -n 20
        [ $code = 0 ] || tail -n 6 "$logs/$name.err" | cut -c 1-300
    fi
    echo "--- $name: exit code $code after $((SECONDS - began)) s of $limit"
    if [ -n "${OUT:-}" ] && [ -f "$results/$name.csv" ]; then cp "$results/$name.csv" "$OUT"; fi
}

"$python" - "$device" <<'PYTHON' || exit 1
import platform, sys, torch
if sys.argv[1] == "cuda":
    assert torch.cuda.is_available(), "there is no CUDA device"
    print(torch.cuda.get_device_name(), torch.version.cuda, torch.backends.cudnn.version())
print("python", platform.python_version(), "torch", torch.__version__)
PYTHON

# several at once where there is pytest-xdist; warnings of other versions than ours are no failures
checks=(-q -p no:cacheprovider --tb=short -W default --disable-warnings)
if "$python" -c 'import xdist' 2>/dev/null; then checks+=(-n 4 --dist worksteal); fi
step tests 150 env OMP_NUM_THREADS="$threads" "$python" -m pytest "${checks[@]}" \
    tests/breaking/test_cuda.py tests/understanding/test_cuda.py tests/verbs/test_cuda.py
short=(--short --device "$device" --threads "$threads")
step cuda 260 "$python" benchmarks/cuda.py "${short[@]}"
step inference 100 "$python" benchmarks/inference.py "${short[@]}"
step resnets 120 "$python" benchmarks/resnets.py "${short[@]}"
step scaling 120 "$python" benchmarks/scaling.py "${short[@]}"
step defence 300 "$python" benchmarks/defence.py "${short[@]}"
step nonsense 300 "$python" benchmarks/nonsense.py "${short[@]}"
rm -f "$logs"/*.out "$logs"/*.err
echo "=== all: $((SECONDS)) s, $([ $failed = 0 ] && echo 'nothing failed' || echo 'SOMETHING FAILED')"
exit $failed

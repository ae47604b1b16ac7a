#!/usr/bin/env bash
# Ten minutes on a machine with an NVIDIA device: correctness first, then times; whatever is found is written at once, so
# that a run that is cut off still leaves figures.
#
#   benchmarks/gpu_session.sh [--minutes 10] [--out FOLDER] [--wheels-from DIR] [--venv DIR] [--workers N] [--rows "stack gdf"]
#                             [--only "tests check quick table"] [--simulate] [--plan]
#   benchmarks/gpu_session.sh --wheels DIR [--for 3.12] [--have "numpy scipy"] [--cuda 13.0]
#
# The second line is for a machine with a package index: it fetches wheels of all that the first one needs (Linux, x86-64),
# without those that the other machine has already, strips a program from the compiler's wheel that is not needed, and prints
# what they weigh. --cuda: the compiler's release; one that is newer than the driver can make what the driver does not read.
#
# --wheels-from  wheels that are unpacked first, without a network, into a folder that is put before Python's own packages
# --venv         the environment whose Python is used (else $PYTHON, else python3); what it lacks comes from the wheels
# --simulate     numba's simulator in place of a device, and tiny sizes: to see that every stage runs
# --plan         print the stages and their seconds, and do nothing
#
# Files in FOLDER ($OUT, else gpu_session): log.txt, tests.csv, faults.txt (of tests), gpu_quick.csv and gpu.csv (the table),
# runs.csv (every single run), kernels.csv (registers, shared and local memory), clocks.csv (the device's, twice a second).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
HERE=$PWD

minutes=10 out=${OUT:-gpu_session} python=${PYTHON:-python3} wheels= from= for=3.12 have= cuda= workers= simulate= plan=
rows="stack lstm cnn gdf masked_lstm resnet" only="tests check quick table"
die() { echo "gpu_session.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --simulate) simulate=1; shift; continue ;;
    --plan) plan=1; shift; continue ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  esac
  [ $# -ge 2 ] || die "$1 needs a value, or is unknown; --help lists what there is"
  case $1 in
    --minutes) minutes=$2 ;;
    --out) out=$2 ;;
    --wheels) wheels=$2 ;;
    --wheels-from) from=$2 ;;
    --venv) python=$2/bin/python ;;
    --for) for=$2 ;;
    --have) have=$2 ;;
    --cuda) cuda=$2 ;;
    --workers) workers=$2 ;;
    --rows) rows=$2 ;;
    --only) only=$2 ;;
    *) die "unknown argument $1; --help lists what there is" ;;
  esac
  shift 2
done
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "--minutes must be a number, got '$minutes'"
command -v "$python" >/dev/null || die "there is no $python; name one by --venv or \$PYTHON"

# ---------------------------------------------------------------------------------------------- wheels, with an index

fetch_wheels() {
  mkdir -p "$wheels" || exit 2
  local needed platforms=() glibc
  needed=$("$python" - <<'PY'
import re, sys
text = open("pyproject.toml").read()
block = re.search(r"^dependencies = \[(.*?)^\]", text, re.S | re.M).group(1)
cuda = re.search(r'^cuda = \["(.*?)"\]', text, re.M).group(1)
print("\n".join([*re.findall(r'"(.+?)"', block), cuda, "pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.90"]))
PY
  ) || exit 2
  [ -n "$cuda" ] && needed+=$'\n'"cuda-toolkit==$cuda.*"$'\n'"nvidia-nvjitlink==$cuda.*"
  for glibc in 17 24 26 27 28 31 34 35; do platforms+=(--platform "manylinux_2_${glibc}_x86_64"); done
  mapfile -t needed <<<"$needed"
  "$python" -m pip download -q --only-binary=:all: --python-version "$for" --implementation cp \
    --platform manylinux1_x86_64 --platform manylinux2014_x86_64 "${platforms[@]}" -d "$wheels" "${needed[@]}" || exit 2
  "$python" - "$wheels" "$have" <<'PY'
import re, sys, zipfile
from pathlib import Path

folder, have = Path(sys.argv[1]), {re.sub(r"[-_.]+", "-", name).lower() for name in sys.argv[2].split()}
for wheel in folder.glob("*.whl"):
    name = re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
    if name in have:
        wheel.unlink()
    elif name == "nvidia-nvvm":  # nvcc's own program, which is not called here, is more than half of it
        part = wheel.with_suffix(".part")
        with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
            for item in old.infolist():
                if item.filename.endswith("/nvvm/bin/cicc"):
                    continue
                data = old.read(item)
                if item.filename.endswith(".dist-info/RECORD"):
                    data = b"".join(line for line in data.splitlines(True) if b"/nvvm/bin/cicc," not in line)
                new.writestr(item, data, zipfile.ZIP_DEFLATED)
        part.replace(wheel)
sizes = sorted(((path.stat().st_size / 2**20, path.name) for path in folder.glob("*.whl")), reverse=True)
for size, name in sizes:
    print(f"{size:8.2f} MiB  {name}")
print(f"{sum(size for size, _ in sizes):8.2f} MiB  in {len(sizes)} wheels")
PY
}

if [ -n "$wheels" ]; then fetch_wheels; exit; fi

# ------------------------------------------------------------------------------------------------------------- stages

total=$("$python" -c "print(max(int(60 * $minutes), 1))")
cores=$(nproc)
[ -n "$workers" ] || workers=$([ -n "$simulate" ] && echo 1 || echo $((cores > 16 ? 12 : cores < 4 ? cores : cores * 3 / 4)))
began=$SECONDS
left() { echo $((total - (SECONDS - began))); }
share() { local s=$((total * $1 / 100)); echo $((s > 0 ? s : 1)); }
tests_seconds=$(share 40) check_seconds=$(share 15) quick_seconds=$(share 8)
wants() { [[ " $only " == *" $1 "* ]]; }
weight() { case $1 in stack) echo 6 ;; lstm | cnn) echo 2 ;; *) echo 1 ;; esac; }

# seconds that a row of the table may take: what is left, shared with the rows behind it
row_seconds() {
  local available=$1 sum=0 row
  shift
  for row in "$@"; do sum=$((sum + $(weight "$row"))); done
  local s=$((available * $(weight "$1") / sum))
  echo $((s > 0 ? s : available > 0 ? 1 : 0))
}

mode=(); size=(--quick); TESTS=(tests/engine/test_cuda.py tests/engine/test_cuda_batches.py tests/engine/test_cuda_losses.py)
if [ -n "$simulate" ]; then mode=(--simulated --repeats 1); size=(); fi

if [ -n "$plan" ]; then
  echo "plan: $total s in all${simulate:+ (simulated: the times mean nothing)}; files in $out"
  [ -n "$from" ] && echo "  install  wheels of $from"
  wants tests && echo "  tests    $tests_seconds s  pytest -m cuda -n $workers ${TESTS[*]}"
  wants check && echo "  check    $check_seconds s  gpu.py ${mode[*]:-} --check"
  wants quick && echo "  quick    $quick_seconds s  gpu.py ${mode[*]:-} ${size[*]:-} --unchecked"
  if wants table; then
    rest=$total
    wants tests && rest=$((rest - tests_seconds)); wants check && rest=$((rest - check_seconds)); wants quick && rest=$((rest - quick_seconds))
    set -- $rows
    while [ $# -gt 0 ]; do
      s=$(row_seconds "$rest" "$@"); echo "  table    $s s  gpu.py ${mode[*]:-} --unchecked --rows $1"; rest=$((rest - s)); shift
    done
  fi
  exit 0
fi

mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
rm -f "$out"/{log.txt,tests.csv,faults.txt,gpu_quick.csv,gpu_simulated.csv,gpu.csv,runs.csv,kernels.csv,clocks.csv}
work=$(mktemp -d)
logger=
finish() { [ -n "$logger" ] && kill "$logger" 2>/dev/null; rm -rf "$work"; }
trap finish EXIT
say() { echo "$(date +%T) [$((SECONDS - began)) s]${simulate:+ (simulated)} $*" | tee -a "$out/log.txt"; }
status=0

# a stage: name, seconds, command; it gets no more than is left
stage() {
  local name=$1 seconds=$2 rest rc
  shift 2
  rest=$(left)
  if [ "$rest" -lt 1 ]; then say "$name: left out, the time is over"; status=1; return 1; fi
  [ "$seconds" -gt "$rest" ] && seconds=$rest
  [ "$seconds" -gt 0 ] || seconds=1
  say "$name: at most $seconds s"
  timeout -k 5 "$seconds" "$@" 2>&1 | tee -a "$out/log.txt"
  rc=${PIPESTATUS[0]}
  case $rc in
    0) say "$name: done" ;;
    124 | 137) say "$name: cut off after $seconds s; what was found is in the files" ;;
    *) say "$name: status $rc"; status=1 ;;
  esac
  return "$rc"
}

export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
path=$HERE:$HERE/benchmarks
if [ -n "$from" ]; then
  "$python" -m pip install -q --no-index --no-deps --no-compile --target "$work/site" "$from"/*.whl 2>&1 | tee -a "$out/log.txt"
  [ "${PIPESTATUS[0]}" = 0 ] || { say "install: the wheels of $from were not installed"; exit 1; }
  # A folder of PYTHONPATH whose .pth files are read too (numba-cuda's makes numba.cuda its own), and in which the compiler is
  # found: its libraries are searched in the folders that `site` names only.
  mkdir "$work/hook"
  cat >"$work/hook/sitecustomize.py" <<PY
import site
before = site.getsitepackages
site.getsitepackages = lambda *prefixes: ["$work/site", *before(*prefixes)]
site.addsitedir("$work/site")
PY
  path=$path:$work/hook:$work/site
  say "install: $(ls "$from"/*.whl | wc -l) wheels"
fi
export PYTHONPATH=$path${PYTHONPATH:+:$PYTHONPATH}
[ -z "${CUDA_HOME:-}" ] && [ -d /usr/local/cuda ] && export CUDA_HOME=/usr/local/cuda
if [ -n "$simulate" ]; then
  export NUMBA_ENABLE_CUDASIM=1
else
  unset NUMBA_ENABLE_CUDASIM
  command -v nvidia-smi >/dev/null && {
    nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm,clocks.max.mem,clocks.sm,clocks.mem,ecc.mode.current \
      --format=csv | tee -a "$out/log.txt"
    nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,utilization.gpu \
      --format=csv -lms 500 >"$out/clocks.csv" 2>/dev/null & logger=$!
  }
fi
"$python" - "$HERE" <<'PY' 2>&1 | tee -a "$out/log.txt"
import platform, re, sys
from importlib.metadata import PackageNotFoundError, version
text = open(sys.argv[1] + "/pyproject.toml").read()
needed = re.findall(r'"(.+?)"', re.search(r"^dependencies = \[(.*?)^\]", text, re.S | re.M).group(1))
print("Python", platform.python_version())
for requirement in [*needed, "numba-cuda>=0.30", "cuda-bindings", "cuda-core", "nvidia-nvjitlink", "nvidia-nvvm",
                    "nvidia-cuda-nvrtc", "pytest>=8", "pytest-xdist>=3.5", "hypothesis", "torch"]:
    name = re.match(r"[\w-]+", requirement).group(0)
    try:
        print(f"  {name} {version(name)}" + (f"  (needed: {requirement})" if ">=" in requirement else ""))
    except PackageNotFoundError:
        print(f"  {name} is MISSING")
try:
    from cuda.pathfinder import load_nvidia_dynamic_lib
    for name in ("nvvm", "nvrtc", "nvJitLink"):
        try:
            print(f"  {name}: {load_nvidia_dynamic_lib(name).abs_path}")
        except Exception as error:
            print(f"  {name}: {type(error).__name__}: {str(error).splitlines()[0]}")
except ImportError as error:
    print(f"  no cuda.pathfinder: {error}")
PY
"$python" -c "import sys; from neuralstat.engine import cuda; print(cuda.find_device('cuda:0'))" 2>&1 | tee -a "$out/log.txt"
[ "${PIPESTATUS[0]}" = 0 ] || { say "no device can be used: nothing was done"; exit 1; }

if wants tests; then
  parallel=(); "$python" -c "import xdist" 2>/dev/null && parallel=(-n "$workers" --maxschedchunk 1)
  stage tests "$tests_seconds" "$python" -m pytest -q -m cuda -p gpu_tests --outcomes "$out/tests.csv" -p no:cacheprovider \
    --basetemp "$work/pytest" -o faulthandler_timeout=60 -o $'filterwarnings=default\nerror::RuntimeWarning' --tb=short "${parallel[@]}" "${TESTS[@]}"
  "$python" - "$out/tests.csv" <<'PY' 2>&1 | tee -a "$out/log.txt"
import collections, csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
print("tests:", dict(collections.Counter(row["outcome"] for row in rows)) or "none ended")
for row in rows:
    if row["outcome"] == "failed":
        print("  failed:", row["test"], row["message"][:160])
PY
fi
wants check && stage check "$check_seconds" "$python" benchmarks/gpu.py --check "${mode[@]}"
wants quick && stage quick "$quick_seconds" "$python" benchmarks/gpu.py --out "$out" --append --unchecked "${mode[@]}" "${size[@]}"
if wants table; then
  set -- $rows
  while [ $# -gt 0 ]; do
    stage "table, $1" "$(row_seconds "$(left)" "$@")" "$python" benchmarks/gpu.py --out "$out" --append --unchecked "${mode[@]}" --rows "$1"
    shift
  done
fi
[ -n "$simulate" ] || nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,clocks_event_reasons.active --format=csv 2>&1 | tee -a "$out/log.txt"
say "files: $(cd "$out" && ls | tr '\n' ' ')"
exit "$status"

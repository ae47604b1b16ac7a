"""What calls of Keras and PyTorch on pages of docs/coming_from give: ``python make_python.py PYTHON [page]``.

PYTHON is an interpreter with keras, torch, onnxscript and safetensors, which need not be where neuralstat is. Each page's
block that does not import neuralstat is run in double precision, then the calls of its table one by one; kept are the first
and the last numbers of each, what it is, and the weights at the start.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGES = ("keras", "pytorch")
RUN = '''
import ast, contextlib, json, os, sys
from pathlib import Path
os.environ["KERAS_BACKEND"] = "torch"
import numpy as np, torch
page, setup, calls = json.loads(Path("in.json").read_text())
data = np.load("data.npz")
torch.set_default_dtype(torch.float64)
if page == "keras":
    import keras
    from keras.src.backend.common import dtypes
    keras.config.set_floatx("float64")
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    names = {"x": data["pixels"], "y": data["digit"], "waves": np.sin(np.arange(300.0)).reshape(50, 6, 1)}
else:
    names = {"x": torch.tensor(data["times"])[:, None], "y": torch.tensor(data["accel"])[:, None],
             "pictures": torch.tensor(np.moveaxis(data["pixels"], 3, 1).copy())}
names["path"] = Path(".")

def parts(v):
    if isinstance(v, dict):
        v = list(v.values())
    if isinstance(v, (list, tuple)):
        return [n for part in v for n in parts(part)]
    if isinstance(v, torch.Tensor):
        v = v.detach().numpy()
    if isinstance(v, (bool, str)) or not isinstance(v, (int, float, np.ndarray, np.generic)):
        return []
    return np.asarray(v, dtype=float).ravel().tolist()

def listed(v):
    return v.tolist() if hasattr(v, "tolist") else [listed(u) for u in (v.values() if isinstance(v, dict) else v)]

found = {}
with contextlib.redirect_stdout(sys.stderr):
    exec(setup, names)
    for call in calls:
        if isinstance(ast.parse(call).body[0], ast.Expr):
            value = eval(call, names)
        else:
            value = exec(call, names)
        kept = parts(value)
        found[call] = {"class": type(value).__name__, "length": len(kept), "numbers": kept[:8], "last": kept[-4:]}
version = "Keras " + keras.__version__ if page == "keras" else "PyTorch " + torch.__version__
Path("out.json").write_text(json.dumps({"version": version, "start": listed(names["start"]), "calls": found}))
'''


def calls(page: str) -> tuple[str, list[str]]:
    """Their block, and the calls of the middle column."""
    text = (ROOT / "docs" / "coming_from" / f"{page}.md").read_text(encoding="utf-8")
    (setup,) = (b for b in re.findall(r"(?ms)^```python\n(.*?)^```$", text) if "import neuralstat" not in b)
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in text.splitlines() if line.startswith("|")][2:]
    return setup, [call for row in cells for call in re.findall(r"`([^`]+)`", row[1])]


def main() -> None:
    """Write a file for each page."""
    import numpy as np

    import neuralstat as ns

    digits, mcycle = ns.datasets.digits(), ns.datasets.mcycle()
    data = {"pixels": digits["pixels"][:200], "digit": np.asarray(digits["digit"][:200]).astype(int)}
    data |= {"times": mcycle["times"].to_numpy(float), "accel": mcycle["accel"].to_numpy(float)}
    for page in sys.argv[2:] or PAGES:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            np.savez(place / "data.npz", **data)
            (place / "in.json").write_text(json.dumps([page, *calls(page)]), encoding="utf-8")
            (place / "run.py").write_text(RUN, encoding="utf-8")
            subprocess.run([sys.argv[1], "run.py"], cwd=place, check=True)
            found = json.loads((place / "out.json").read_text(encoding="utf-8"))
        (HERE / f"{page}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()

"""Make written/: files that `to_keras` wrote, and what Keras predicts with them.

First the files, by an environment with neuralstat; then the predictions, by one with Keras 3.15 and torch:
``PYTHONPATH=tests/support python tests/reference/keras/make_written.py files`` and ``... predictions``.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "written"


def files():
    import written

    for name in written.FITS:
        fit = written.made(name)
        fit.to_keras(HERE / f"{name}.keras", rep="mean")
        np.savez_compressed(HERE / f"{name}_inputs.npz", **fit.model_inputs())


def predictions():
    import os

    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    for path in sorted(HERE.glob("*.keras")):
        model = keras.models.load_model(path)
        with np.load(HERE / f"{path.stem}_inputs.npz") as stored:
            inputs = {name: stored[name] for name in stored.files}
        given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        np.savez_compressed(HERE / f"{path.stem}.npz", predictions=model.predict(given, verbose=0),
                            layers=np.array([layer.name for layer in model.layers]))  # fmt: skip
        (HERE / f"{path.stem}_inputs.npz").unlink()


if __name__ == "__main__":
    {"files": files, "predictions": predictions}[sys.argv[1]]()

"""What the summary of a structured fit says of coefficients beside large networks."""

import numpy as np
import pandas as pd

import neuralstat as ns


def test_networks_of_many_degrees_of_freedom():
    rng = np.random.default_rng(0)
    d = pd.DataFrame({"x": rng.normal(size=60), **{f"z{k}": rng.normal(size=60) for k in range(6)}})
    d["y"] = d.x + np.sin(3 * d.z0) * d.z1 + d.z2 * d.z3 + 0.05 * rng.normal(size=60)
    large = ns.neuralnet("y ~ x + nn(z0, z1, z2, z3, z4, z5, hidden=6)", d, rep=1, random_state=2, penalty=ns.decay(0.01))
    assert "Networks take" in " ".join(str(large).split())
    small = ns.neuralnet("y ~ x + nn(z0, hidden=2)", d, rep=1, random_state=2)
    assert "Networks take" not in " ".join(str(small).split())

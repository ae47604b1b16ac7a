"""What arguments of other packages are called here: Keras, scikit-learn, R's nnet and neuralnet."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

#: word of another package -> what to write here
ELSEWHERE = {
    **dict.fromkeys(("optimizer", "solver", "method"), "algorithm ('rprop+', 'lm', 'bfgs', ...; with epochs= 'adam', ...)"),
    "loss": "family ('gaussian', 'binomial', 'multinomial', 'poisson', ...) or err_fct",
    **dict.fromkeys(("lr", "learning_rate", "learning_rate_init", "eta"), "learningrate"),
    **dict.fromkeys(("verbose", "trace"), "progress=True, or lifesign='full' as in R"),
    **dict.fromkeys(("sample_weight", "sample_weights", "case_weights"), "weights"),
    "activation": "act_fct",
    **dict.fromkeys(("validation_data", "validation_split", "validation_fraction"), "validation (a share, or data)"),
    **dict.fromkeys(("units", "size", "hidden_layer_sizes", "hidden_units"), "hidden"),
    **dict.fromkeys(("alpha", "decay", "weight_decay", "kernel_regularizer", "l2"), "penalty=ns.decay(...)"),
    **dict.fromkeys(("maxit", "max_iter", "maxiter"), "stepmax (or epochs, for the algorithms that train by epochs)"),
    **dict.fromkeys(("abstol", "reltol"), "threshold"),
    **dict.fromkeys(("patience", "n_iter_no_change"), "early_stopping=ns.EarlyStopping(patience)"),
    "dropout": "layers=[..., Dropout(rate), ...]",
    **dict.fromkeys(("restarts", "nrep", "n_init", "trials"), "rep"),
    **dict.fromkeys(("seed", "random_seed"), "random_state"),
    **dict.fromkeys(("cluster", "clusters", "cluster_ids", "group"), "groups"),
    "linout": "linear_output",
    **dict.fromkeys(("softmax", "entropy", "censored"), "family ('multinomial' or 'binomial')"),
    **dict.fromkeys(("na_action", "na.action"), "missing"),
    "subset": "data (take the rows before)",
    **dict.fromkeys(("Wts", "initial_weights"), "startweights"),
    **dict.fromkeys(("kernel_initializer", "rang"), "init"),
    **dict.fromkeys(("standardise", "normalize", "normalise"), "standardize"),
    "cores": "n_jobs",
}  # fmt: skip


def hint(word: str, known: Sequence[str]) -> str:
    """A sentence that says what may be meant by a word that is no argument."""
    if word in ELSEWHERE:
        return f" Here it is {ELSEWHERE[word]}."
    close = difflib.get_close_matches(word.replace(".", "_"), known, 1)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(known)}."

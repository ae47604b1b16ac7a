"""Configurations of Keras models as calls of layers: nested models flattened, what each call reads by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..checks.values import LAYERS
from ..errors import ArgumentError, FileFormatError, NeuralStatError
from .keras_nodes import Config, automatic, node_of, ordered, references, text_of

MODELS = ("Sequential", "Functional", "Model")
_PLACES = ("input_layers", "output_layers")
_MODULES = ("keras", "keras_core", "tf_keras", "tensorflow")
_MOST_MODELS = 50  # in one another
_OLD_MODULES = ("tf_keras",)
#: Layers called by training=False only where somebody said it: Keras 3 writes it for others, whose argument is False by
#: default, too
_SAID = (*MODELS, "BatchNormalization", "Bidirectional", "TimeDistributed")
#: Layers without weights, which may be called several times
SHARED = frozenset((
    "Activation", "Add", "Average", "AveragePooling1D", "AveragePooling2D", "Concatenate", "Dot", "Dropout", "ELU", "Flatten",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "LeakyReLU", "Maximum",
    "MaxPooling1D", "MaxPooling2D", "Minimum", "Multiply", "ReLU", "Softmax", "Subtract", "UpSampling1D", "UpSampling2D",
    "ZeroPadding1D", "ZeroPadding2D",
))  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A layer, and what it reads.

    Attributes
    ----------
    name : str
        One of its own among all calls.
    kind : str
        Its class in Keras.
    config : dict
    reads : tuple of str
        Names of calls, or of inputs.
    path : str
        What names of its arrays in files begin with, ``"outer/dense"``.
    held : bool
        Whether it is not trained.
    inference : bool
        Whether it is called with ``training=False``.
    options : dict
        Further arguments of the call.
    old : bool
        Whether it is known to be of Keras 1 or 2.
    """

    name: str
    kind: str
    config: Config
    reads: tuple[str, ...]
    path: str
    held: bool
    inference: bool = False
    options: Config = field(default_factory=dict)
    old: bool = False

    @property
    def label(self) -> str:
        """For messages."""
        return f"layer {self.path!r} ({self.kind})"


@dataclass(frozen=True)
class Description:
    """A model.

    Attributes
    ----------
    name : str
    calls : tuple of Call
        Each after those that it reads.
    inputs : tuple of (str, shape)
        A shape has None where a size is not said, and is None where nothing is.
    output : str
        The call (or input) whose units the model puts out.
    """

    name: str
    calls: tuple[Call, ...]
    inputs: tuple[tuple[str, tuple[int | None, ...] | None], ...]
    output: str


def described(config: Config) -> Description:
    """A model from its configuration.

    Raises
    ------
    FileFormatError
        Where the configuration is damaged; `damage` says it of parts that are of another kind.
    ArgumentError
        For models that are neither Sequential nor functional, layers that are called twice, several outputs, and calls with
        arguments that have no counterpart.
    """
    return _Reader().read(config)


@contextmanager
def damage() -> Iterator[None]:
    """What goes wrong in a configuration whose parts are not what they should be is said in one way."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        if isinstance(error, NeuralStatError):
            raise
        raise FileFormatError(f"the model's configuration is damaged ({type(error).__name__}: {str(error)[:80]})") from None


class _Reader:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.inputs: list[tuple[str, tuple[int | None, ...] | None]] = []
        self.used: set[str] = set()
        self.old = False  # a model of Keras 1 or 2

    def read(self, config: Config) -> Description:
        """The whole model."""
        kind = config["class_name"]
        if kind not in MODELS:
            raise ArgumentError(f"a model of the class {kind!r:.80} has no counterpart: Sequential and functional ones have.")
        self.old = str(config.get("keras_version")).startswith(("1.", "2."))
        inner = _of_model(config)
        name = text_of(inner.get("name", kind.lower()))
        output = self.model(kind, inner, None, "", False, False, 0)
        return Description(name, tuple(self.calls), tuple(self.inputs), output)

    def model(
        self, kind: str, inner: Config, reads: Sequence[str] | None, path: str, held: bool, inference: bool, depth: int
    ) -> str:
        """Calls of a model that reads some calls (None: inputs); the name of what it puts out."""
        if depth > _MOST_MODELS:
            raise FileFormatError("models are nested too deeply")
        held = held or inner.get("trainable", True) is False
        if kind == "Sequential":
            return self._sequential(inner, reads, path, held, inference, depth)
        return self._functional(inner, reads, path, held, inference, depth)

    def _sequential(
        self, inner: Config, reads: Sequence[str] | None, path: str, held: bool, inference: bool, depth: int
    ) -> str:
        layers = _entries(inner)
        _distinct(layers)
        if reads is None:
            reads = [self._input(layers[0] if layers else {}, inner)]
        if len(reads) != 1:
            raise ArgumentError(f"model {path!r}: a Sequential model reads one layer, got {len(reads)}.")
        at = reads[0]
        for entry in layers:
            if entry["class_name"] != "InputLayer":
                at = self._call(entry, (at,), {}, path, held, inference, depth, False)
        return at

    def _input(self, first: Config, inner: Config) -> str:
        """The input of a Sequential model."""
        config = first.get("config", {})
        given = first.get("class_name") == "InputLayer"
        name = text_of(config["name"]) if given else "input"
        shape = _shape(config)
        for key in ("build_input_shape", "batch_input_shape"):
            shape = _shape({"batch_shape": inner[key]}) if shape is None and inner.get(key) is not None else shape
        name = self._unique(name, "")
        self.inputs.append((name, shape))
        return name

    def _functional(
        self, inner: Config, reads: Sequence[str] | None, path: str, held: bool, inference: bool, depth: int
    ) -> str:
        entries = _distinct(_entries(inner))
        begins, ends = (references(inner[key]) for key in _PLACES)
        if len({name for name, _ in begins}) < len(begins):
            raise FileFormatError(f"model {path!r} has an input twice")
        if len(ends) != 1:
            raise ArgumentError(f"the model has {len(ends)} outputs; those with one have a counterpart.")
        if reads is not None and len(reads) != len(begins):
            raise FileFormatError(f"model {path!r} has {len(begins)} inputs, but reads {len(reads)}")
        found: dict[tuple[str, int], str] = {}
        for k, at in enumerate(begins):
            if reads is None:
                entry = entries[at[0]]
                if entry["class_name"] != "InputLayer":
                    raise FileFormatError(f"the input {at[0]!r:.80} is no InputLayer")
                name = self._unique(at[0], "")
                self.inputs.append((name, _shape(entry["config"])))
                found[at] = name
            else:
                found[at] = reads[k]
        nodes = {(name, k): node for name, entry in entries.items()
                 for k, node in enumerate(entry.get("inbound_nodes") or [])}  # fmt: skip
        for entry in entries.values():
            self._once(entry, len(entry.get("inbound_nodes") or []), path)
        for at in ordered(nodes, found, ends[0]):
            node = nodes[at]
            reading, options = node_of(node, f"layer {path + at[0]!r}")
            if "mask" in options and automatic(options["mask"], nodes, entries):
                del options["mask"]
            own = tuple(found[r] for r in reading)
            found[at] = self._call(entries[at[0]], own, options, path, held, inference, depth, not isinstance(node, dict))
        return found[ends[0]]

    @staticmethod
    def _once(entry: Config, count: int, path: str) -> None:
        if count > 1 and entry["class_name"] not in SHARED:
            label = f"layer {path + _name(entry)!r} ({entry['class_name']})"
            raise ArgumentError(f"{label} is called {count} times: its weights would be shared, which has no counterpart.")

    def _call(
        self, entry: Config, reads: tuple[str, ...], options: Config, path: str, held: bool, inference: bool, depth: int,
        said: bool,
    ) -> str:  # fmt: skip
        """A further call; `said`: whether its arguments are those that somebody gave."""
        kind, config = text_of(entry["class_name"]), entry["config"]
        called = options.pop("training", None) is False
        inference = inference or (called and (said or kind in _SAID))
        name = _name(entry)
        check_own(entry, f"layer {path + name!r} ({kind})", self.old)
        if kind in MODELS:
            if options:
                raise ArgumentError(f"model {path + name!r} is called with {_listed(options)}, which has no counterpart.")
            return self.model(kind, _of_model(entry), reads, f"{path}{name}/", held, inference, depth + 1)
        if not isinstance(config, dict):
            raise FileFormatError(f"layer {path + name!r:.80} has no configuration")
        _check_count(len(self.calls) + 1)
        held = held or config.get("trainable", True) is False
        own = self._unique(name, path)
        self.calls.append(Call(own, kind, config, reads, path + name, held, inference, options, self.old))
        return own

    def _unique(self, name: str, path: str) -> str:
        """A name that no other call or input has: the layer's, else with that of its model before it."""
        made = name
        if made in self.used:
            made = f"{path.rstrip('/').replace('/', '_')}_{name}" if path else name
        while made in self.used:
            made += "_"
        self.used.add(made)
        return made


def check_own(entry: Config, label: str, old: bool) -> None:
    """Raise ArgumentError where a layer's class is not Keras' own, whatever it is called, or its function is another one now.

    Parameters
    ----------
    entry : dict
        Of a layer, or of one in another layer.
    label : str
        For messages.
    old : bool
        Whether the model is known to be of Keras 1 or 2; where nothing says it, it is seen from the entry.
    """
    module, config = entry.get("module"), entry.get("config")
    package = module.partition(".")[0] if isinstance(module, str) else None
    if package is not None and package not in _MODULES:
        raise ArgumentError(f"{label}: a class of {module!r:.60} has no counterpart.")
    if isinstance(config, dict):
        old = old or package in _OLD_MODULES or (package is None and not isinstance(config.get("dtype"), dict))
        given = [config.get(key) for key in ("activation", "recurrent_activation")]
        if old and "hard_sigmoid" in [one.get("config") if isinstance(one, dict) else one for one in given]:
            raise ArgumentError(f"{label}: 'hard_sigmoid' of Keras 2 has no counterpart.")


def _check_count(layers: int) -> None:
    if layers > LAYERS:
        raise ArgumentError(f"a model of more than {LAYERS:,} layers has no counterpart.")


def _distinct(layers: Sequence[Config]) -> dict[str, Config]:
    """Entries of layers by name."""
    entries: dict[str, Config] = {}
    for entry in layers:
        name = _name(entry)
        if name in entries:
            raise FileFormatError(f"two layers have the same name {name!r:.80}")
        entries[name] = entry
    return entries


def _of_model(entry: Config) -> Config:
    """What describes a model; Sequential models of Keras 1 are lists of layers."""
    inner = entry["config"]
    return {"layers": inner} if isinstance(inner, list) else inner


def _entries(inner: Config) -> list[Config]:
    layers = inner["layers"]
    if not isinstance(layers, list) or not all(isinstance(entry, dict) for entry in layers):
        raise FileFormatError("the model's configuration has no list of layers")
    _check_count(len(layers))
    return layers


def _name(entry: Config) -> str:
    return text_of(entry.get("name") or entry["config"].get("name"))


def _shape(config: Config) -> tuple[int | None, ...] | None:
    """Shape of one observation that an input, or a first layer, says."""
    given = config.get("batch_shape", config.get("batch_input_shape"))
    if given is None:
        return None
    shape = tuple(given)[1:]
    if not all(size is None or (type(size) is int and size > 0) for size in shape):
        raise FileFormatError(f"an input has the shape {str(shape)[:80]}")
    return shape


def _listed(options: Config) -> str:
    return ", ".join(f"{key}={value!r:.40}" for key, value in options.items())

"""Configurations of Keras models as calls of layers: nested models flattened, what each call reads by name."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import ArgumentError, FileFormatError, NeuralStatError

MODELS = ("Sequential", "Functional", "Model")
_PLACES = ("input_layers", "output_layers")
_WITHOUT_EFFECT = (None, False)
_MODULES = ("keras", "keras_core", "tf_keras", "tensorflow")
_MOST_MODELS = 50  # in one another
#: Layers without weights, which may be called several times
SHARED = frozenset((
    "Activation", "Add", "Average", "AveragePooling1D", "AveragePooling2D", "Concatenate", "Dropout", "ELU", "Flatten",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "LeakyReLU",
    "MaxPooling1D", "MaxPooling2D", "ReLU", "Softmax", "Subtract", "UpSampling1D", "UpSampling2D", "ZeroPadding1D",
    "ZeroPadding2D",
))  # fmt: skip

Config = dict[str, Any]


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
    """

    name: str
    kind: str
    config: Config
    reads: tuple[str, ...]
    path: str
    held: bool
    inference: bool = False
    options: Config = field(default_factory=dict)

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

    def read(self, config: Config) -> Description:
        """The whole model."""
        kind = config["class_name"]
        if kind not in MODELS:
            raise ArgumentError(f"a model of the class {kind!r:.80} has no counterpart: Sequential and functional ones have.")
        inner = _of_model(config)
        name = _text(inner.get("name", kind.lower()))
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
        if reads is None:
            reads = [self._input(layers[0] if layers else {}, inner)]
        if len(reads) != 1:
            raise ArgumentError(f"model {path!r}: a Sequential model reads one layer, got {len(reads)}.")
        at = reads[0]
        for entry in layers:
            if entry["class_name"] != "InputLayer":
                at = self._call(entry, (at,), {}, path, held, inference, depth)
        return at

    def _input(self, first: Config, inner: Config) -> str:
        """The input of a Sequential model."""
        config = first.get("config", {})
        given = first.get("class_name") == "InputLayer"
        name = _text(config["name"]) if given else "input"
        shape = _shape(config)
        for key in ("build_input_shape", "batch_input_shape"):
            shape = _shape({"batch_shape": inner[key]}) if shape is None and inner.get(key) is not None else shape
        name = self._unique(name, "")
        self.inputs.append((name, shape))
        return name

    def _functional(
        self, inner: Config, reads: Sequence[str] | None, path: str, held: bool, inference: bool, depth: int
    ) -> str:
        entries = {_name(entry): entry for entry in _entries(inner)}
        if len(entries) < len(_entries(inner)):
            raise FileFormatError("two layers have the same name")
        begins, ends = (_references(inner[key]) for key in _PLACES)
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
        nodes = {(name, k): node for name, entry in entries.items() for k, node in enumerate(entry.get("inbound_nodes") or [])}
        for name, entry in entries.items():
            self._once(entry, len(entry.get("inbound_nodes") or []), path)
        for at in _ordered(nodes, found, ends[0]):
            reading, options = _node(nodes[at], f"layer {path + at[0]!r}")
            if "mask" in options and _automatic(options["mask"], nodes, entries):
                del options["mask"]
            own = tuple(found[r] for r in reading)
            found[at] = self._call(entries[at[0]], own, options, path, held, inference, depth)
        return found[ends[0]]

    @staticmethod
    def _once(entry: Config, count: int, path: str) -> None:
        if count > 1 and entry["class_name"] not in SHARED:
            label = f"layer {path + _name(entry)!r} ({entry['class_name']})"
            raise ArgumentError(f"{label} is called {count} times: its weights would be shared, which has no counterpart.")

    def _call(
        self, entry: Config, reads: tuple[str, ...], options: Config, path: str, held: bool, inference: bool, depth: int
    ) -> str:
        kind, config = _text(entry["class_name"]), entry["config"]
        called = options.pop("training", None) is False  # which Keras writes for other layers, too, where nobody said it
        inference = inference or (called and kind in (*MODELS, "BatchNormalization"))
        name = _name(entry)
        check_own(entry, f"layer {path + name!r} ({kind})")
        if kind in MODELS:
            if options:
                raise ArgumentError(f"model {path + name!r} is called with {_listed(options)}, which has no counterpart.")
            return self.model(kind, _of_model(entry), reads, f"{path}{name}/", held, inference, depth + 1)
        if not isinstance(config, dict):
            raise FileFormatError(f"layer {path + name!r:.80} has no configuration")
        old = "module" not in entry and not isinstance(config.get("dtype"), dict)
        if old and "hard_sigmoid" in (config.get("activation"), config.get("recurrent_activation")):
            raise ArgumentError(f"layer {path + name!r} ({kind}): 'hard_sigmoid' of Keras 2 has no counterpart.")
        held = held or config.get("trainable", True) is False
        own = self._unique(name, path)
        self.calls.append(Call(own, kind, config, reads, path + name, held, inference, options))
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


def check_own(entry: Config, label: str) -> None:
    """Raise ArgumentError where a layer's class is not Keras' own, whatever it is called."""
    module = entry.get("module")
    if isinstance(module, str) and module.partition(".")[0] not in _MODULES:
        raise ArgumentError(f"{label}: a class of {module!r:.60} has no counterpart.")


def _of_model(entry: Config) -> Config:
    """What describes a model; Sequential models of Keras 1 are lists of layers."""
    inner = entry["config"]
    return {"layers": inner} if isinstance(inner, list) else inner


def _entries(inner: Config) -> list[Config]:
    layers = inner["layers"]
    if not isinstance(layers, list) or not all(isinstance(entry, dict) for entry in layers):
        raise FileFormatError("the model's configuration has no list of layers")
    return layers


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise FileFormatError(f"the model's configuration has {value!r:.40} where a name should be")
    return value


def _name(entry: Config) -> str:
    return _text(entry.get("name") or entry["config"].get("name"))


def _shape(config: Config) -> tuple[int | None, ...] | None:
    """Shape of one observation that an input, or a first layer, says."""
    given = config.get("batch_shape", config.get("batch_input_shape"))
    if given is None:
        return None
    shape = tuple(given)[1:]
    if not all(size is None or (type(size) is int and size > 0) for size in shape):
        raise FileFormatError(f"an input has the shape {str(shape)[:80]}")
    return shape


def _references(given: Any) -> list[tuple[str, int]]:
    """Layer and node of inputs and outputs: ``["a", 0, 0]`` or ``[["a", 0, 0], ...]``."""
    if isinstance(given, dict):
        given = list(given.values())
    given = [given] if given and isinstance(given[0], str) else given
    return [_reference(one) for one in given]


def _reference(given: Any) -> tuple[str, int]:
    name, node, tensor = given[:3]
    if type(node) is not int or tensor != 0:
        raise ArgumentError(f"layer {name!r:.80}: what puts out several has no counterpart.")
    return _text(name), node


def _node(node: Any, label: str) -> tuple[list[tuple[str, int]], Config]:
    """What a call reads, and its further arguments that have an effect."""
    if isinstance(node, dict):  # Keras 3
        found: list[tuple[str, int]] = []
        for one in node["args"]:
            inner = list(_tensors(one))
            if not inner and one is not None:
                raise ArgumentError(f"{label} is called with {one!r:.40}, which has no counterpart.")
            found += inner
        given = node.get("kwargs", {})
    else:  # Keras 2
        node = [node] if node and isinstance(node[0], str) else node
        found = [_reference(one) for one in node]
        given = {key: value for one in node for key, value in (one[3] if len(one) > 3 else {}).items()}
    options: Config = {}
    for key, value in given.items():
        tensors = list(_tensors(value)) if isinstance(node, dict) else []
        if tensors and key not in ("mask", "attention_mask", "initial_state"):
            found += tensors
            options[key] = ...
        elif key == "training" or value not in _WITHOUT_EFFECT:
            options[key] = value
    if options.get("training", None) is None:
        options.pop("training", None)
    elif options["training"] is not False:
        raise ArgumentError(f"{label} is called with training={options['training']!r:.20}, which has no counterpart.")
    return found, options


def _automatic(mask: Any, nodes: dict[tuple[str, int], Any], entries: dict[str, Config]) -> bool:
    """Whether a mask is the one that an Embedding or a Masking layer of the model makes."""
    (at,) = list(_tensors(mask)) or [("", -1)]
    entry, inside = entries.get(at[0], {}), nodes.get(at)
    makes, value = "Embedding", "mask_zero"
    if entry.get("class_name") == "Any" and entry["config"].get("axis") == -1 and not entry["config"].get("keepdims"):
        makes, value = "Masking", "mask_value"
        (at,) = _tensors(inside["args"])
        entry, inside = entries[at[0]], nodes[at]
    if entry.get("class_name") != "NotEqual" or len(inside["args"]) != 2:
        return False
    (masked,), number = _tensors(inside["args"][0]), inside["args"][1]
    makers = [e["config"] for (name, k), node in nodes.items() if (e := entries[name])["class_name"] == makes
              and _node(node, name)[0] == [masked]]  # fmt: skip
    said = [bool(config.get(value)) and number == 0 if makes == "Embedding" else config.get(value) == number
            for config in makers]  # fmt: skip
    return any(said)


def _tensors(value: Any) -> Iterator[tuple[str, int]]:
    """Tensors in an argument of a call in Keras 3."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield _reference(value["config"]["keras_history"])
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, dict) and one.get("class_name") == "__keras_tensor__":
                yield _reference(one["config"]["keras_history"])


def _listed(options: Config) -> str:
    return ", ".join(f"{key}={value!r:.40}" for key, value in options.items())


def _ordered(
    nodes: dict[tuple[str, int], Any], known: dict[tuple[str, int], str], end: tuple[str, int]
) -> list[tuple[str, int]]:
    """Calls that lead to the end, each after those that it reads; in the order of the configuration where that is one."""
    reads: dict[tuple[str, int], list[tuple[str, int]]] = {}
    todo = [end]
    while todo:
        at = todo.pop()
        if at in known or at in reads:
            continue
        if at not in nodes:
            raise FileFormatError(f"no layer puts out {at[0]!r:.80}")
        reads[at] = _node(nodes[at], f"layer {at[0]!r}")[0]
        todo += reads[at]
    order: list[tuple[str, int]] = []
    names = [at for at in nodes if at in reads]
    placed = {at: k for k, at in enumerate(names)}
    waits = {at: sum(one not in known for one in set(reads[at])) for at in names}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for at in names:
        for one in set(reads[at]):
            readers.setdefault(one, []).append(at)
    ready = [placed[at] for at in names if waits[at] == 0]
    while ready:
        at = names[heapq.heappop(ready)]
        order.append(at)
        for one in readers.get(at, []):
            waits[one] -= 1
            if waits[one] == 0:
                heapq.heappush(ready, placed[one])
    if len(order) < len(names):
        raise FileFormatError("layers read one another in a circle")
    return order

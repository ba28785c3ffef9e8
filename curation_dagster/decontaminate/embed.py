"""Sentence embeddings from folders a recipe names: model2vec tables, and BERT models such as all-MiniLM-L6-v2.

A *static* model (Tulkens and van Dongen, 2024: model2vec) is a table with one vector a token; a text is their mean. A
*BERT* model (Devlin et al., 2019; Reimers and Gurevych, 2019 for the mean of its last layer) is computed here with
numpy: one text at a time, so that no vector depends on what else is in a batch; nor does a cosine. Both read
`model.safetensors` and `tokenizer.json` (WordPiece); neither needs torch or any package. Nothing is ever downloaded.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from curation_dagster.recipe_decontaminate import SentenceModel, StaticModel

MAX_TOKENS = 256  # of a text a BERT model reads
MAX_WORD_CHARS = 100
MAX_KNOWN_WORDS = 1 << 18
DECIMALS = 4  # of a cosine; what follows it decides nothing
_HAN = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_DTYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "I64": np.int64, "F64": np.float64}


class Embedder(Protocol):
    """A model of sentences."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row of length one for each text; zeros for one without tokens."""


@dataclass(frozen=True)
class WordPieces:
    """BERT's tokenizer, uncased: words, then the longest pieces the vocabulary has (Devlin et al., 2019)."""

    vocab: Mapping[str, int]
    known: dict[str, list[int]] = field(default_factory=dict)  # words met before

    @property
    def unknown(self) -> int:
        """The number of what no piece spells."""
        return self.vocab["[UNK]"]

    def ids(self, text: str) -> list[int]:
        """Number the pieces of a text, without the marks around it."""
        plain = unicodedata.normalize("NFD", text.lower())
        spaced = "".join(_spaced(char) for char in plain)
        return [piece for word in spaced.split() for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[int]:
        found = self.known.get(word)
        if found is None:
            found = self._spell(word)
            if len(self.known) < MAX_KNOWN_WORDS:
                self.known[word] = found
        return found

    def _spell(self, word: str) -> list[int]:
        if len(word) > MAX_WORD_CHARS:
            return [self.unknown]
        pieces: list[int] = []
        start = 0
        while start < len(word):
            lead = "##" if start else ""
            for end in range(len(word), start, -1):
                if (piece := self.vocab.get(lead + word[start:end])) is not None:
                    break
            else:
                return [self.unknown]
            pieces.append(piece)
            start = end
        return pieces


@functools.cache
def _spaced(char: str) -> str:
    """Return what BERT's normalizer makes of a character: marks and controls go, signs and Han stand alone."""
    category, code = unicodedata.category(char), ord(char)
    if char in "\t\n\r" or category == "Zs":
        return " "
    if category in {"Mn", "Cc", "Cf"} or code in {0, 0xFFFD}:
        return ""
    is_sign = category[0] == "P" or (char.isascii() and not char.isalnum())
    is_han = any(first <= code <= last for first, last in _HAN)
    return f" {char} " if is_sign or is_han else char


@dataclass(frozen=True)
class Static:
    """A table of token vectors, and the tokenizer that numbers them."""

    table: NDArray[Any]
    pieces: WordPieces

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean of each text's token vectors. About 50 us a sentence."""
        out = np.zeros((len(texts), self.table.shape[1]), np.float32)
        for row, text in zip(out, texts, strict=True):
            if ids := [token for token in self.pieces.ids(text) if token != self.pieces.unknown]:
                row[:] = self.table[ids].astype(np.float32).mean(axis=0)
        return _unit(out)


@dataclass(frozen=True)
class Bert:
    """The weights of an encoder, by the names its publisher gave them."""

    weights: Mapping[str, NDArray[np.float32]]
    heads: int
    layers: int
    epsilon: float
    pieces: WordPieces

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean of each text's last layer. About 1,000 tokens a second and core."""
        opening, closing = self.pieces.vocab["[CLS]"], self.pieces.vocab["[SEP]"]
        ids = (self.pieces.ids(text)[: MAX_TOKENS - 2] for text in texts)
        rows = [self._forward([opening, *of_text, closing]) for of_text in ids]
        return _unit(np.stack(rows)) if rows else np.zeros((0, 1), np.float32)

    def _forward(self, ids: list[int]) -> NDArray[np.float32]:
        w, e = self.weights, "embeddings."
        x = w[f"{e}word_embeddings.weight"][ids] + w[f"{e}position_embeddings.weight"][: len(ids)]
        x = self._norm(x + w[f"{e}token_type_embeddings.weight"][0], f"{e}LayerNorm")
        for layer in range(self.layers):
            at = f"encoder.layer.{layer}."
            attended = self._linear(
                self._attend(x, f"{at}attention.self."), f"{at}attention.output.dense"
            )
            x = self._norm(x + attended, f"{at}attention.output.LayerNorm")
            inner = _gelu(self._linear(x, f"{at}intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")
        mean: NDArray[np.float32] = x.mean(axis=0)
        return mean

    def _linear(self, x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(self.epsilon))
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _attend(self, x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        n, width = x.shape
        q, k, v = (
            self._linear(x, f"{name}{part}").reshape(n, self.heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(width // self.heads))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        joined: NDArray[np.float32] = mixed.transpose(1, 0, 2).reshape(n, width)
        return joined


def static_model(model: StaticModel) -> Static:
    """Read a model2vec table.

    Raises:
        RecipeError: if a file is missing or is not what it should be.
    """
    tensors = _tensors(model.weights.path)
    table = tensors.get("embeddings")
    if table is None or table.ndim != 2:  # noqa: PLR2004 - a table
        msg = f"rerank: {model.weights.path} is no model2vec model: no table 'embeddings'; found {sorted(tensors)}"
        raise RecipeError(msg)
    return Static(table, _word_pieces(model.tokenizer.path))


def bert_model(model: SentenceModel) -> Bert:
    """Read a BERT sentence model, as Hugging Face lays them out.

    Raises:
        RecipeError: see `static_model`.
    """
    config = json.loads(_read(model.config.path))
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        msg = f"rerank: {model.config.path}: only BERT with gelu is computed here; found {config.get('model_type')!r}"
        raise RecipeError(msg)
    return Bert(
        {
            name.removeprefix("bert."): value.astype(np.float32)
            for name, value in _tensors(model.weights.path).items()
            if value.dtype.kind == "f"
        },
        int(config["num_attention_heads"]),
        int(config["num_hidden_layers"]),
        float(config["layer_norm_eps"]),
        _word_pieces(model.tokenizer.path),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        msg = (
            f"rerank: cannot read {path}: {err}; say where the model lies in [decontaminate.rerank]"
        )
        raise RecipeError(msg) from err


def _word_pieces(path: Path) -> WordPieces:
    model = json.loads(_read(path))["model"]
    if model.get("type") != "WordPiece":
        msg = f"rerank: {path} is a {model.get('type')} tokenizer; only WordPiece is read here"
        raise RecipeError(msg)
    return WordPieces(model["vocab"])


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read a safetensors file: eight bytes of length, a JSON header, the arrays."""
    raw = _read(path)
    size = int.from_bytes(raw[:8], "little")
    try:
        header = json.loads(raw[8 : 8 + size])
        header.pop("__metadata__", None)
        return {
            name: np.frombuffer(
                raw[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]],
                _DTYPES[entry["dtype"]],
            ).reshape(entry["shape"])
            for name, entry in header.items()
        }
    except (ValueError, KeyError, TypeError) as err:
        msg = f"rerank: {path} is no safetensors file with numbers this reads: {err!r}"
        raise RecipeError(msg) from err


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each row and the row beside it, both of length one, to DECIMALS.

    Summed a row at a time in 64 bits: the last digits of a product of matrices depend on how many rows it has.
    """
    sums: NDArray[np.float64] = np.multiply(left, right, dtype=np.float64).sum(axis=1)
    return sums.round(DECIMALS)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(length, np.float32(1e-9))
    return unit


def _gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return x times the normal distribution up to x; the error function by Abramowitz and Stegun 7.1.26, to 1.5e-7."""
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    erf = np.sign(x) * (1 - poly * np.exp(-z * z))
    out: NDArray[np.float32] = (0.5 * x * (1 + erf)).astype(np.float32)
    return out

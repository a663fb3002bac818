"""Data, splits, batches and the budget's clock. Frozen: an experiment edits train.py, never this file.

What a run reads from outside:

  TIME_BUDGET      wall-clock seconds of training, from the end of step 0 (default 300)
  RANDOM_SEED      seed of the weights and of the order of the batches (default 0)
  GITEXP_DATA      a text file, a folder of text files or a parquet file; `--data PATH` on the command line
                   goes before it. Without either: the text that comes with every Python, see `default_files`.
  GITEXP_RUN_DIR   where the weights and the training's figures are left for evaluate.py (default .gitexp-run)

Text is bytes here, so that no file is invalid. A token is a byte, or, with a VOCAB_SIZE above 256, a string of bytes
(BPE); scores are bits per byte of text either way, and so compare across vocabularies.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import faulthandler
import hashlib
import json
import math
import mmap
import os
import resource
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

BYTES = 256  # with a vocabulary of this size a token is a byte; a larger one is BPE
BPE_BYTES = 32 << 20  # at most this much of the training split is learned from and encoded; 1 MB takes some 0.6 s
DEFAULT_TEXT_BYTES = 4 << 20  # the default text is cut here: one CPU core reads it about twice in five minutes
MIN_TEXT_BYTES = 64 << 10  # less makes splits too small to say anything
MAX_BLOCK_BYTES = 64 << 10  # splits are cut in blocks of this size, or of a 200th of a smaller text
BLOCKS_PER_GROUP = 20  # block i goes to validation where i % 20 == 0, to test where it is 1, else to training
VALIDATION, TEST = (0, 1), (1, 2)  # [first, last) block of a group, so that each split covers the whole text
TRAINING = (2, BLOCKS_PER_GROUP)


def fail(sentence: str) -> NoReturn:
    """One sentence on stderr, exit status 1."""
    sys.exit(f"error: {sentence}")


# ---------------------------------------------------------------------------------------------------------------------
# Settings
# ---------------------------------------------------------------------------------------------------------------------


def time_budget() -> float:
    text = os.environ.get("TIME_BUDGET", "300")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        fail(f"TIME_BUDGET must be a positive number of seconds, not {text!r}.")
    return seconds


def random_seed() -> int:
    text = os.environ.get("RANDOM_SEED", "0")
    if not (text.isascii() and text.isdigit()):
        fail(f"RANDOM_SEED must be a whole number from 0 up, not {text!r}.")
    return int(text)


def run_dir() -> Path:
    path = Path(os.environ.get("GITEXP_RUN_DIR") or ".gitexp-run")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot create the run directory {path}: {error.strerror}.")
    return path


def arguments(**switches: str) -> argparse.Namespace:
    """The command line: --data, and a switch for each name with its help."""
    parser = argparse.ArgumentParser(
        description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    named = os.environ.get("GITEXP_DATA")
    parser.add_argument(
        "--data",
        metavar="PATH",
        type=Path,
        default=Path(named) if named else None,
        help="a text file, a folder of text files or a parquet file (default: $GITEXP_DATA, else Python's own text)",
    )
    for name, text in switches.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser.parse_args()


def write_json(path: Path, values: dict[str, Any]) -> None:
    """By temporary file and rename, so that a reader never sees half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(json.dumps(values, indent=2) + "\n")
        draft.replace(path)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}.")


# ---------------------------------------------------------------------------------------------------------------------
# Text
# ---------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)  # bounded: a map holds a file descriptor, and a folder may have 100,000 files
def _map(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM"):
        mapped.madvise(mmap.MADV_RANDOM)  # no reading ahead: a first look into a file of 3 GB takes 0.04 ms, not 20
    return np.frombuffer(mapped, dtype=np.uint8)


class Text:
    """Files read as one long string of bytes. They are memory-mapped, so 3 GB of text costs no memory."""

    def __init__(self, name: str, files: list[Path], limit: int | None = None) -> None:
        sizes = {path: path.stat().st_size for path in files}
        self.files = [path for path, size in sizes.items() if size]  # an empty file cannot be mapped
        self.ends = np.cumsum([sizes[path] for path in self.files], dtype=np.int64)
        self.size = min(int(self.ends[-1]) if self.files else 0, limit or sys.maxsize)
        self.name = name
        self.only: tuple[int, int] | None = None  # the split that may be read; None for all
        if self.size < MIN_TEXT_BYTES:
            fail(f"the data at {name} has {self.size:,} bytes of text; at least {MIN_TEXT_BYTES:,} are needed.")

    def read(self, start: int, length: int) -> np.ndarray:
        if self.only:
            spans = self.spans(self.only)
            first, last = spans[max(0, int(np.searchsorted(spans[:, 0], start, side="right")) - 1)]
            if not first <= start <= start + length <= last:
                fail(f"bytes {start} to {start + length} are held out: train.py is given the training text alone.")
        parts = []
        index = int(np.searchsorted(self.ends, start, side="right"))
        while length > 0:
            data = _map(self.files[index])
            offset = start - (int(self.ends[index]) - len(data))
            parts.append(data[offset : offset + length])
            start, length, index = start + len(parts[-1]), length - len(parts[-1]), index + 1
        return np.concatenate(parts)

    def spans(self, blocks: tuple[int, int]) -> np.ndarray:
        """The (start, stop) rows of a split, one for each group of blocks."""
        if self.only and blocks != self.only:
            fail("this split is held out: train.py is given the training text alone.")
        block = min(MAX_BLOCK_BYTES, self.size // 200)
        groups = np.arange(0, self.size, block * BLOCKS_PER_GROUP)
        rows = np.stack([groups + block * blocks[0], groups + block * blocks[1]], axis=1).clip(max=self.size)
        return rows[rows[:, 0] < rows[:, 1]]


def default_files() -> list[Path]:
    """The standard library's documentation text (pydoc's topics) and its sources: there, offline, on every machine."""
    library = Path(sysconfig.get_paths()["stdlib"])
    return [path for path in [library / "pydoc_data/topics.py", *sorted(library.glob("*.py"))] if path.is_file()]


def folder_files(folder: Path) -> list[Path]:
    """Every file below the folder that is not hidden and has no NUL byte in its first 4 KiB."""

    def is_text(path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            return False
        with path.open("rb") as file:
            return b"\0" not in file.read(4096)

    return sorted(path for path in folder.rglob("*") if is_text(path))


def parquet_file(path: Path) -> Path:
    """The text column of a parquet file, written out as plain text so that it can be memory-mapped."""
    try:
        from pyarrow import parquet  # noqa: PLC0415 - 50 MB that only this branch needs
    except ImportError:
        fail(f"reading {path} needs pyarrow: pip install pyarrow")
    status = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    target = run_dir() / f"text-{key}.bin"
    if target.exists():  # train.py has just written it
        return target
    try:
        table = parquet.ParquetFile(path)
        strings = [field.name for field in table.schema_arrow if str(field.type) in ("string", "large_string")]
        if not strings:
            fail(f"{path} has no column of text.")
        column = "text" if "text" in strings else strings[0]
        draft = target.with_suffix(".tmp")
        with draft.open("wb") as file:
            for rows in table.iter_batches(columns=[column]):
                file.writelines((row or "").encode() + b"\n" for row in rows.column(0).to_pylist())
        draft.replace(target)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        fail(f"{path} cannot be read as parquet: {str(error).splitlines()[0]}")
    return target


def load_text(path: Path | None) -> Text:
    """The training text: train.py's loader reaches no other."""
    text = whole_text(path)
    text.only = TRAINING
    return text


def whole_text(path: Path | None) -> Text:
    try:
        if path is None:
            return Text("the Python standard library", default_files(), limit=DEFAULT_TEXT_BYTES)
        if not path.exists():
            fail(f"there is no data at {path}: name a text file, a folder of text files or a parquet file.")
        if path.is_dir():
            return Text(str(path.resolve()), folder_files(path))
        if path.suffix == ".parquet":
            return Text(str(path.resolve()), [parquet_file(path)])
        return Text(str(path.resolve()), [path])
    except OSError as error:
        fail(f"the data at {error.filename or path} cannot be read: {error.strerror}.")


# ---------------------------------------------------------------------------------------------------------------------
# Tokens
# ---------------------------------------------------------------------------------------------------------------------


class Tokenizer:
    """Bytes to tokens. A vocabulary of 256 is the bytes themselves; a larger one is a BPE that `tokenizers` learns from
    the training split alone. It is shown byte b as the character b (Latin-1), so whatever bytes there are go through
    whole. train.py leaves it in the run directory, where evaluate.py finds it."""

    def __init__(self, text: Text, vocab_size: int) -> None:
        if vocab_size < BYTES:
            fail(f"VOCAB_SIZE must be {BYTES} (bytes) or more (BPE), not {vocab_size}.")
        self.bpe = learned_bpe(text, vocab_size) if vocab_size > BYTES else None

    def encode(self, data: np.ndarray) -> np.ndarray:
        if self.bpe is None:
            return data
        return np.array(self.bpe.encode(data.tobytes().decode("latin-1")).ids, dtype=np.int32)

    def decode(self, tokens: np.ndarray) -> bytes:
        if self.bpe is None:
            return tokens.astype(np.uint8).tobytes()
        return "".join(self.bpe.id_to_token(token) for token in tokens.tolist()).encode("latin-1")


def learned_bpe(text: Text, vocab_size: int) -> Any:
    try:
        import tokenizers as hf  # noqa: PLC0415 - an extra, and only this branch needs it
    except ImportError:
        fail(f"a VOCAB_SIZE of {vocab_size} is BPE, which needs tokenizers: pip install tokenizers")
    key = hashlib.sha256(f"{text.name} {text.size} {vocab_size}".encode()).hexdigest()[:16]
    target = run_dir() / f"bpe-{key}.json"
    if not target.exists():
        bpe = hf.Tokenizer(hf.models.BPE())
        # A token stays in a word with the space before it, a run of signs, or of spaces; bytes above 127 are letters.
        pieces = r" ?[\w\x{80}-\x{ff}]+| ?[^\s\w\x{80}-\x{ff}]+|\s+"
        bpe.pre_tokenizer = hf.pre_tokenizers.Split(hf.Regex(pieces), "isolated")
        alphabet = [chr(byte) for byte in range(BYTES)]
        trainer = hf.trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
        parts = (text.read(start, stop - start) for start, stop in bpe_spans(text))
        bpe.train_from_iterator((part.tobytes().decode("latin-1") for part in parts), trainer)
        draft = target.with_suffix(f".{os.getpid()}.tmp")
        bpe.save(str(draft))
        draft.replace(target)
    return hf.Tokenizer.from_file(str(target))


def bpe_spans(text: Text) -> list[tuple[int, int]]:
    """Spans of the training split that BPE reads: all of them, or as many as make BPE_BYTES, spread evenly."""
    spans = text.spans(TRAINING)
    count = max(1, min(len(spans), BPE_BYTES // int((spans[:, 1] - spans[:, 0]).max())))
    return spans[np.linspace(0, len(spans) - 1, count).astype(int)].tolist()


# ---------------------------------------------------------------------------------------------------------------------
# Batches
# ---------------------------------------------------------------------------------------------------------------------


def training_batches(
    text: Text, vocab_size: int, batch_size: int, seq_len: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless (inputs, targets), each (batch_size, seq_len), from random places of the training split alone."""
    tokenizer = Tokenizer(text, vocab_size)
    spans, read = text.spans(TRAINING), text.read
    if tokenizer.bpe is not None:
        parts = [tokenizer.encode(text.read(start, stop - start)) for start, stop in bpe_spans(text)]
        tokens, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts])
        spans = np.stack([ends - [len(part) for part in parts], ends], axis=1)

        def read(start: int, length: int) -> np.ndarray:
            return tokens[start : start + length]

    places = np.maximum(spans[:, 1] - spans[:, 0] - seq_len, 0)  # window starts in each span, none across its end
    ends = np.cumsum(places)
    if ends[-1] == 0:
        fail(f"the data at {text.name} ({text.size:,} bytes) is too small for sequences of {seq_len} tokens.")
    generator = np.random.default_rng(seed)
    while True:
        picks = generator.integers(ends[-1], size=batch_size)
        rows = np.searchsorted(ends, picks, side="right")
        starts = spans[rows, 1] - seq_len - (ends[rows] - picks)
        windows = np.stack([read(int(start), seq_len + 1) for start in starts])
        yield windows[:, :-1], windows[:, 1:]


# ---------------------------------------------------------------------------------------------------------------------
# Clock
# ---------------------------------------------------------------------------------------------------------------------


class Budget:
    """The training's wall clock. Made when the process starts, started at the end of step 0, so that loading and
    compiling cost no budget; everything after that counts."""

    def __init__(self) -> None:
        self.seconds = time_budget()
        run_dir()  # what is wrong with it is said before the training, not after
        self.created = self.started = time.monotonic()
        self.next_line = 0.0
        if BLAS == REFERENCE_BLAS:
            remedy = "pip install scipy-openblas32==0.3.23.293.2"
            print(f"note: MLX runs on its {BLAS}, some 20 times slower than OpenBLAS: {remedy}", file=sys.stderr)

    def start(self) -> None:
        self.started = time.monotonic()

    @property
    def spent(self) -> float:
        return time.monotonic() - self.started

    @property
    def progress(self) -> float:
        return self.spent / self.seconds

    def show(self, step: int, loss: float, rate: float, tokens: int) -> None:
        """A progress line, at most four a second whatever the step time."""
        spent = self.spent
        if spent < self.next_line:
            return
        self.next_line = spent + 0.25
        print(
            f"step {step:05d} ({min(spent / self.seconds, 1):6.1%}) | loss {loss:.4f} | lr {rate:.2f} "
            f"| tok/s {tokens / spent:,.0f} | left {max(self.seconds - spent, 0.0):.1f}s",
            flush=True,
        )

    def stop(self, steps: int, tokens_per_step: int) -> dict[str, Any]:
        """The figures of the training that just ended; `steps` without step 0."""
        spent = self.spent
        if steps < 2:  # the one step that ran was longer than the budget
            fail(f"TIME_BUDGET ({self.seconds:g} s) is shorter than one step ({spent:.2g} s): nothing was learned.")
        return {
            "training_seconds": spent,
            "startup_seconds": self.started - self.created,
            "peak_memory_mb": peak_memory_mb(),
            "steps": steps,
            "tokens": steps * tokens_per_step,
            "tokens_per_second": steps * tokens_per_step / spent,
        }


# ---------------------------------------------------------------------------------------------------------------------
# Device
# ---------------------------------------------------------------------------------------------------------------------

REFERENCE_BLAS = "reference BLAS"


def load_blas() -> str:
    """Put OpenBLAS where MLX looks for its BLAS, and say which one it will run on. Before `import mlx.core`.

    MLX's CPU wheel for Linux brings the reference BLAS, and finds `cblas_sgemm` by its name when it is loaded: one that
    is global in the process by then goes first, and so does its LAPACK. Elsewhere (Metal, CUDA) there is nothing to do.
    The newer scipy-openblas32 prefix every name with scipy_, so it is the last one before that, or the system's own.
    OPENBLAS_NUM_THREADS sets its threads, one by default: the rest of MLX's CPU backend is single-threaded, and threads
    on every core wait for each other wherever another program runs (a fifth of the steps on two busy cores).
    """
    if not any(Path(folder).glob("mlx_cpu.libs/libblas*") for folder in sys.path):
        return "MLX's own BLAS"
    if hasattr(ctypes.CDLL(None), "cblas_sgemm"):
        return "preloaded BLAS"
    wheels = [str(file) for folder in sys.path for file in Path(folder).glob("scipy_openblas32/lib/libopenblas*.so")]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in (*wheels, "libopenblas.so.0"):
        try:
            library = ctypes.CDLL(name)  # local for now: it takes nothing over before it is known to fit
            library.openblas_get_config.restype = ctypes.c_char_p
            config = library.openblas_get_config().decode()
        except (OSError, AttributeError):
            continue
        if hasattr(library, "cblas_sgemm") and "USE64BITINT" not in config:  # MLX passes 32-bit sizes
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
            return " ".join(config.split()[:2]) + f", threads: {library.openblas_get_num_threads()}"
    return REFERENCE_BLAS


BLAS = load_blas()
try:
    import mlx.core as mx
except ImportError as missing:
    fail(f"MLX cannot be loaded ({missing}): pip install 'mlx[cpu]' on Linux, mlx on macOS, 'mlx[cuda]' for CUDA.")
if tuple(int(part) for part in mx.__version__.split(".")[:2]) < (0, 29):
    fail(f"MLX {mx.__version__} is too old, 0.29 or later is needed: pip install -U mlx")


def device_name() -> str:
    """cpu or gpu: what MLX computes on."""
    return "cpu" if mx.default_device() == mx.cpu else "gpu"


def peak_memory_mb() -> float:
    """Peak of MLX's own memory on a GPU (Metal, CUDA), else of this process."""
    if device_name() != "cpu":
        return mx.get_peak_memory() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # macOS counts bytes, Linux KiB


def peak_gflops() -> float:
    """What this device reaches in a float32 matrix product, measured now: the 100 % of mfu_percent. Takes 0.1 s."""
    best, size, seconds = 0.0, 128, 0.0
    while seconds < 0.01 and size < 4096:
        size *= 2
        a = mx.ones((size, size))
        mx.eval(a, a @ a)
        began = time.perf_counter()
        mx.eval(a @ a)
        seconds = time.perf_counter() - began
        best = max(best, 2e-9 * size**3 / seconds)
    return best


# ---------------------------------------------------------------------------------------------------------------------
# Start and end
# ---------------------------------------------------------------------------------------------------------------------


def print_summary(values: dict[str, Any]) -> None:
    print("---")
    for name, value in values.items():
        print(f"{name + ':':18} {value:.6f}" if isinstance(value, float) else f"{name + ':':18} {value}", flush=True)


def finish(model: Any, stats: dict[str, Any]) -> None:
    """Leave the weights and the training's figures for evaluate.py, and print the figures."""
    folder = run_dir()
    model.save_weights(str(folder / "model.safetensors"))
    write_json(folder / "train.json", stats)
    print("trained; the score is evaluate.py's: python evaluate.py")
    print_summary(stats)  # last, as tools read the last block of a log


def run(main: Callable[[], None]) -> None:
    """Out of memory is a sentence; any other fault keeps its traceback."""
    faulthandler.enable()  # MLX's CPU backend ends in SIGSEGV where malloc fails: the log then says where
    if hasattr(os, "SCHED_BATCH"):  # MLX computes in a thread of its own. Where that shares a core with this one, Linux
        with contextlib.suppress(OSError):  # would go to and fro between them 240 times a step, which takes 5 % of it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        main()
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "alloc" not in str(error).lower():
            raise
        fail(f"out of memory ({error}): a smaller BATCH_SIZE, SEQ_LEN or DEPTH needs less.")

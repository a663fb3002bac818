"""The MLX template, run as a user runs it: copied to a folder, train.py and evaluate.py as two processes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.helpers.project import TEMPLATES

pytestmark = pytest.mark.slow  # trains

TEMPLATE = TEMPLATES / "mlx"
FILES = ("train.py", "prepare.py", "kernels.py", "evaluate.py")
PROGRESS = re.compile(
    r"step (\d{5}) \( *(\d+\.\d)%\) \| loss \d+\.\d{4} \| lr \d\.\d\d \| tok/s [\d,]+ \| left \d+\.\ds"
)
SETTINGS = ("TIME_BUDGET", "RANDOM_SEED", "GITEXP_DATA", "GITEXP_METRICS", "GITEXP_RUN_DIR")


def copy_template(folder: Path, **constants: object) -> Path:
    """The four files in a folder, with constants of train.py replaced."""
    for name in FILES:
        (folder / name).write_bytes((TEMPLATE / name).read_bytes())
    for name, value in constants.items():
        edit(folder / "train.py", rf"(?m)^{name} = [^#]*", f"{name} = {value}  ")
    return folder


def edit(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, lambda _: replacement, path.read_text())
    assert count == 1, f"{pattern} is {count} times in {path.name}"
    path.write_text(text)


def run(folder: Path, script: str, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder,
        env=environment | {"TIME_BUDGET": "1"} | {name: str(value) for name, value in settings.items()},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )


def summary(stdout: str) -> dict[str, str]:
    block = stdout.rpartition("---\n")[2]
    return dict(re.fullmatch(r"(\w+): +(.+)", line).groups() for line in block.splitlines())  # type: ignore[union-attr]


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a run that failed as it should."""
    assert result.returncode == 1, result
    assert re.fullmatch(r"error: .*\n", result.stderr), result.stderr
    return result.stderr


def small_text() -> bytes:
    library = Path(sysconfig.get_paths()["stdlib"])
    return b"".join(path.read_bytes() for path in sorted(library.glob("*.py"))[:20])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A model trained for two seconds on the default text."""
    folder = copy_template(tmp_path_factory.mktemp("trained"))
    return folder, run(folder, "train.py", TIME_BUDGET=2)


@pytest.fixture(scope="session")
def prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("template_prepare", TEMPLATE / "prepare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Training and scoring


@pytest.mark.slow
def test_it_trains_and_scores(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, training = trained
    assert training.returncode == 0, training.stderr
    figures = summary(training.stdout)
    assert int(figures["steps"]) > 0
    assert 2 <= float(figures["training_seconds"]) < 8
    assert "val_bpb" not in figures  # the trainer does not score itself
    assert "python evaluate.py" in training.stdout

    scored = run(folder, "evaluate.py", GITEXP_METRICS=folder / "metrics.json")
    assert scored.returncode == 0, scored.stderr
    printed = summary(scored.stdout)
    assert re.fullmatch(r"[1-7]\.\d{6}", printed["val_bpb"])
    assert float(printed["peak_memory_mb"]) > 20
    assert printed.pop("device").split(",")[0] in ("cpu", "gpu")
    assert printed.pop("data") == "the Python standard library"
    assert json.loads((folder / "metrics.json").read_text()) == {name: float(text) for name, text in printed.items()}
    assert not list(folder.glob("*.tmp"))

    again = run(folder, "evaluate.py")
    assert summary(again.stdout)["val_bpb"] == printed["val_bpb"]


@pytest.mark.slow
def test_progress_lines(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    lines = trained[1].stdout.partition("---\n")[0].splitlines()[:-1]
    found = [PROGRESS.fullmatch(line) for line in lines]
    assert found
    assert all(found), lines
    shares = [float(match[2]) for match in found if match]
    assert shares == sorted(shares)
    assert shares[-1] <= 100
    assert len(lines) <= 2 * 4 + 2  # at most four a second


@pytest.mark.slow
def test_same_seed_and_steps_give_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for name in "ab":
        (tmp_path / name).mkdir()
        folder = copy_template(tmp_path / name, BATCH_SIZE=1, SEQ_LEN=32)
        edit(folder / "train.py", r"budget\.progress < 1", "step < 6")
        edit(folder / "train.py", r"rate_at\(budget\.progress if step else 0\.0\)", "1.0")
        assert run(folder, "train.py", TIME_BUDGET=60).returncode == 0
        weights.append((folder / ".gitexp-run" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


# What the probes catch


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shortcut", "complaint"),
    [
        ("tokens = mx.roll(tokens, -1, axis=1)", "looks ahead"),
        ("tokens = tokens + 0 * tokens[::-1] if tokens.shape[0] == 1 else tokens[::-1]", "across the batch"),
        ("return mx.zeros((*tokens.shape, 7))", "logits of shape"),
        ("return mx.full((*tokens.shape, 256), float('nan'))", "not finite"),
        ("return mx.random.normal((*tokens.shape, 256))", "second time"),
    ],
)
def test_a_model_that_cheats_is_not_scored(
    trained: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, shortcut: str, complaint: str
) -> None:
    folder = copy_template(tmp_path)
    marker = r'        """Logits \(batch, length, vocabulary\) for tokens \(batch, length\)\."""\n'
    edit(folder / "train.py", marker, f"        {shortcut}\n")
    result = run(folder, "evaluate.py", GITEXP_RUN_DIR=trained[0] / ".gitexp-run", GITEXP_METRICS=tmp_path / "m.json")
    assert complaint in refusal(result)
    assert not (tmp_path / "m.json").exists()


@pytest.mark.slow
def test_weights_are_scored_on_the_data_they_were_trained_on(
    trained: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "other.txt").write_bytes(small_text())
    result = run(trained[0], "evaluate.py", "--data", str(tmp_path / "other.txt"))
    assert "were trained on the Python standard library" in refusal(result)


def test_nothing_to_score(tmp_path: Path) -> None:
    assert "run python train.py first" in refusal(run(copy_template(tmp_path), "evaluate.py"))


# Faults


@pytest.mark.slow
@pytest.mark.parametrize(
    ("constant", "value", "complaint"),
    [("EMBED_LR", "float('nan')", "at step 1: training has diverged"), ("MAX_LOSS", "1.0", "diverged")],
)
def test_a_diverged_run_stops(tmp_path: Path, constant: str, value: str, complaint: str) -> None:
    folder = copy_template(tmp_path, **{constant: value})
    assert complaint in refusal(run(folder, "train.py"))
    assert not (folder / ".gitexp-run" / "model.safetensors").exists()


def test_a_wrong_constant_crashes_in_mlx(tmp_path: Path) -> None:
    result = run(copy_template(tmp_path, HEAD_DIM=40), "train.py")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ValueError: [reshape]" in result.stderr


@pytest.mark.parametrize("budget", ["0", "-3", "soon", "nan", "inf", ""])
def test_a_budget_is_a_positive_number(tmp_path: Path, budget: str) -> None:
    assert "TIME_BUDGET must be" in refusal(run(copy_template(tmp_path), "train.py", TIME_BUDGET=budget))


def test_a_budget_shorter_than_a_step(tmp_path: Path) -> None:
    assert "shorter than one step" in refusal(run(copy_template(tmp_path), "train.py", TIME_BUDGET=0.0001))


@pytest.mark.parametrize(
    ("package", "content", "complaint"),
    [
        ("mlx", "__version__ = '0.28.1'", "MLX 0.28.1 is too old, 0.29 or later is needed"),
        ("mlx", "raise ImportError('no Metal device')", "MLX cannot be loaded (no Metal device)"),
    ],
)
def test_a_wrong_mlx_is_a_sentence(tmp_path: Path, package: str, content: str, complaint: str) -> None:
    folder = copy_template(tmp_path)
    (folder / package).mkdir()
    (folder / package / "core.py").write_text(content)
    assert complaint in refusal(run(folder, "train.py"))


LIMITED = """
import resource

resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
import prepare, train

prepare.run(train.main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to a limit of memory")
def test_out_of_memory_is_a_sentence(tmp_path: Path) -> None:
    """In numpy, whose arrays come first. MLX's CPU backend has no error for it: there the log names the line."""
    folder = copy_template(tmp_path, BATCH_SIZE=2_000_000_000)
    (folder / "limited.py").write_text(LIMITED)
    assert "a smaller BATCH_SIZE, SEQ_LEN or DEPTH needs less" in refusal(run(folder, "limited.py"))
    copy_template(tmp_path, NGRAM_BUCKETS=100_000_000)  # a table of 26 GB
    died = run(folder, "limited.py")
    assert died.returncode != 0
    assert "out of memory" in died.stderr or "Segmentation fault" in died.stderr
    assert "train.py" in died.stderr or died.returncode == 1


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[metal::malloc] Unable to allocate 99 bytes.")])
def test_an_allocation_that_fails_is_a_sentence(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(prepare.faulthandler, "enable", lambda: None)  # pytest has its own

    def failing() -> None:
        raise error

    with pytest.raises(SystemExit, match="out of memory"):
        prepare.run(failing)


# Data


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads ru_maxrss as KiB")
def test_a_text_of_3_gb_is_never_loaded_whole(tmp_path: Path) -> None:
    folder = copy_template(tmp_path)
    with (tmp_path / "big.txt").open("wb") as file:
        file.write(small_text())
        file.truncate(3 << 30)  # sparse: it takes no disk
    for script in ("train.py", "evaluate.py"):
        command = [sys.executable, script, "--data", "big.txt"]
        with subprocess.Popen(command, cwd=folder, env=os.environ | {"TIME_BUDGET": "0.5"}) as child:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        assert usage.ru_maxrss < 400 << 10  # as with a small text, where it is 110 MB


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder", "invalid UTF-8", "flag"])
def test_data_from_files(tmp_path: Path, kind: str) -> None:
    folder = copy_template(tmp_path, BATCH_SIZE=1, SEQ_LEN=32)
    data = tmp_path / "data"
    text = small_text()
    if kind == "folder":
        (data / "sub").mkdir(parents=True)
        for index, start in enumerate(range(0, len(text), 50_000)):
            (data / "sub" / f"{index:02}.txt").write_bytes(text[start : start + 50_000])
        (data / "empty.txt").touch()
        (data / "picture.png").write_bytes(b"\x89PNG\0\0")
    else:
        data.write_bytes(text.replace(b"e", b"\xff") if kind == "invalid UTF-8" else text)
    arguments = ("--data", str(data)) if kind == "flag" else ()
    settings = {"TIME_BUDGET": 0.5} | ({} if arguments else {"GITEXP_DATA": data})
    assert run(folder, "train.py", *arguments, **settings).returncode == 0
    assert float(summary(run(folder, "evaluate.py", *arguments, **settings).stdout)["val_bpb"]) < 9


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("nowhere.txt", None, "there is no data at nowhere.txt"),
        ("empty.txt", b"", "has 0 bytes of text; at least 65,536 are needed"),
        ("tiny.txt", b"tiny" * 99, "has 396 bytes of text"),
        ("broken.parquet", b"no parquet" * 9999, "parquet"),
    ],
)
def test_bad_data_is_a_sentence(tmp_path: Path, name: str, content: bytes | None, complaint: str) -> None:
    folder = copy_template(tmp_path)
    if content is not None:
        (folder / name).write_bytes(content)
    assert complaint in refusal(run(folder, "train.py", GITEXP_DATA=name))


def test_splits_do_not_overlap_and_cover_the_text(prepare: ModuleType, tmp_path: Path) -> None:
    for size in (65_536, 1_000_003, 30_000_001):
        path = tmp_path / f"{size}.bin"
        with path.open("wb") as file:
            file.truncate(size)
        text = prepare.Text("a file", [path])
        seen = np.zeros(size, dtype=np.uint8)
        shares = {}
        for blocks in (prepare.TRAINING, prepare.VALIDATION, prepare.TEST):
            spans = text.spans(blocks)
            shares[blocks] = int((spans[:, 1] - spans[:, 0]).sum())
            for start, stop in spans:
                seen[start:stop] += 1
        assert (seen == 1).all()
        assert shares[prepare.VALIDATION] == pytest.approx(size / 20, rel=0.1)
        assert shares[prepare.TEST] == pytest.approx(size / 20, rel=0.1)


def test_training_batches_come_from_the_training_split(prepare: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "text.bin"
    marks = np.zeros(100_000, dtype=np.uint8)
    marks.tofile(path)
    text = prepare.Text("a file", [path])
    for start, stop in text.spans(prepare.TRAINING):
        marks[start:stop] = 1
    marks.tofile(path)
    batches = prepare.training_batches(
        prepare.Text("a file", [path]), vocab_size=256, batch_size=64, seq_len=128, seed=0
    )
    for _ in range(200):
        inputs, targets = next(batches)
        assert inputs.shape == targets.shape == (64, 128)
        assert inputs.all()
        assert targets.all()


def test_a_window_may_cross_files(prepare: ModuleType, tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 256, 90_000, dtype=np.uint8)
    parts = np.split(whole, [10, 10, 40_000, 40_001])
    files = [tmp_path / f"{index}.bin" for index in range(len(parts))]
    for path, part in zip(files, parts, strict=True):
        part.tofile(path)
    text = prepare.Text("a folder", files)
    for start, length in [(0, 11), (0, 90_000), (39_990, 30), (40_000, 1), (40_001, 5), (89_999, 1)]:
        assert (text.read(start, length) == whole[start : start + length]).all()


# Vocabularies


SAME_MODEL_TWICE = """
# On text of "ab" and "cd" alone, with 30 % for "ab" and 70 % for "cd": once told byte by byte, once pair by pair.
import evaluate, json, prepare
from pathlib import Path
import numpy as np

text = prepare.whole_text(Path("pairs.txt"))
data = evaluate.held_out(text, prepare.VALIDATION)
for vocab_size in (256, 258):
    tokenizer = prepare.Tokenizer(text, vocab_size)
    a, b, c, d = (int(tokenizer.encode(np.frombuffer(byte, dtype=np.uint8))[0]) for byte in (b"a", b"b", b"c", b"d"))
    starts = {a: 0.3, c: 0.7} if vocab_size == 256 else {}
    if vocab_size == 258:
        ab, cd = (int(tokenizer.encode(np.frombuffer(pair, dtype=np.uint8))[0]) for pair in (b"ab", b"cd"))
        assert len({a, b, c, d, ab, cd}) == 6
        starts = {ab: 0.3, cd: 0.7}
    table = np.full((vocab_size, vocab_size), -50.0, dtype=np.float32)
    for token, share in starts.items():
        table[:, token] = np.log(share)
    for first, second in ((a, b), (c, d)):
        table[first] = -50
        table[first, second] = 0
    sizes = (vocab_size, 128)
    told = evaluate.bits_per_byte(lambda tokens: table[tokens], data, tokenizer, *sizes)
    uniform = evaluate.bits_per_byte(lambda tokens: np.zeros((*tokens.shape, vocab_size)), data, tokenizer, *sizes)
    count = len(evaluate.tokens_of(data, tokenizer)) - 1
    print(json.dumps([told, uniform, count * np.log2(vocab_size) / (len(data) - 1), len(data) - 1, count]))
"""


def test_one_model_scores_the_same_under_two_vocabularies(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="BPE is an extra")
    folder = copy_template(tmp_path)
    pairs = np.random.default_rng(0).integers(2, size=80_000)
    (folder / "pairs.txt").write_bytes(np.array([b"ab", b"cd"])[pairs].tobytes())
    (folder / "twice.py").write_text(SAME_MODEL_TWICE)
    result = run(folder, "twice.py")
    assert result.returncode == 0, result.stderr
    of_bytes, of_pairs = (json.loads(line) for line in result.stdout.splitlines())
    assert of_pairs[0] == pytest.approx(of_bytes[0], abs=1e-5)
    assert of_bytes[0] == pytest.approx(-np.log2(0.3 * 0.7) / 4, abs=0.02)  # half of a pair's two bits and a little
    for _, uniform, expected, _, _ in (of_bytes, of_pairs):
        assert uniform == pytest.approx(expected, abs=1e-5)
    assert of_bytes[1] == pytest.approx(8, abs=1e-5)
    assert of_bytes[3] == of_pairs[3] == of_bytes[4]
    assert of_pairs[4] == of_bytes[4] // 2 + 1


@pytest.mark.slow
def test_bpe_trains_and_scores_whatever_the_bytes(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="BPE is an extra")
    folder = copy_template(tmp_path, VOCAB_SIZE=512, BATCH_SIZE=1, SEQ_LEN=32)
    (folder / "data.txt").write_bytes(small_text().replace(b"z", b"\xff").replace(b"x", b"\0"))
    settings = {"GITEXP_DATA": "data.txt", "TIME_BUDGET": 0.5}
    assert run(folder, "train.py", **settings).returncode == 0
    assert float(summary(run(folder, "evaluate.py", **settings).stdout)["val_bpb"]) < 8


def test_bpe_asks_for_its_library(tmp_path: Path) -> None:
    folder = copy_template(tmp_path, VOCAB_SIZE=512)
    (folder / "tokenizers.py").write_text("raise ImportError('not here')")
    assert "pip install tokenizers" in refusal(run(folder, "train.py"))
    edit(folder / "train.py", r"(?m)^VOCAB_SIZE = 512", "VOCAB_SIZE = 100")
    assert "VOCAB_SIZE must be 256 (bytes) or more" in refusal(run(folder, "train.py"))


# BLAS


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux CPU wheel of MLX brings a BLAS to replace")
def test_the_fast_blas_computes_what_the_reference_blas_does(tmp_path: Path) -> None:
    folder = copy_template(tmp_path)
    script = """
{first}
import mlx.core as mx, numpy as np
rng = np.random.default_rng(0)
a, b = (mx.array(rng.normal(size=s).astype(np.float32)) for s in ((130, 257), (257, 95)))
u, s, vt = mx.linalg.svd(a, stream=mx.cpu)
np.savez("{name}", product=a @ b, transposed=a.T @ a, singular=s)
"""
    (folder / "fast.py").write_text(script.format(first="import prepare; print(prepare.BLAS)", name="fast"))
    (folder / "slow.py").write_text(script.format(first="", name="slow"))
    fast, slow = run(folder, "fast.py"), run(folder, "slow.py")
    assert fast.returncode == slow.returncode == 0, fast.stderr + slow.stderr
    assert fast.stdout.startswith("OpenBLAS")
    with np.load(folder / "fast.npz") as ours, np.load(folder / "slow.npz") as reference:
        for name in reference:
            scale = np.abs(reference[name]).max()
            assert np.abs(ours[name] - reference[name]).max() < 1e-5 * scale, name


# The bench


@pytest.mark.slow
@pytest.mark.parametrize("words", [("sizes", "--grid", "BATCH_SIZE=1,2"), ("spread", "--runs", "2")])
def test_the_bench_runs(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Not how fast anything is: that the bench still fits the template. The side with PyTorch wants an install."""
    command = [sys.executable, "-m", "tests.bench.train", *words, "--data", "python", "--budget", "0.3"]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "rows.json")],
        cwd=TEMPLATE.parents[1],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert len(rows) == (2 if words[0] == "sizes" else 4)
    assert all(1 < row["val_bpb"] < 9 and row["stall"] >= 1 for row in rows)


def test_a_parameter_may_have_any_shape(tmp_path: Path) -> None:
    copy_template(tmp_path)
    edit(
        tmp_path / "train.py",
        r"(?m)^        self\.mlp = .*",
        """\
        self.mlp = MLP(width)
        self.gain, self.lift = mx.ones(width), mx.array(1.0)""",
    )
    edit(tmp_path / "train.py", r"self\.mlp\(norm\(x\)\)", "self.lift * self.mlp(self.gain * norm(x))")
    result = run(tmp_path, "train.py")
    assert result.returncode == 0, result.stderr
    assert run(tmp_path, "evaluate.py").returncode == 0


KERNELS = """
import sys
import kernels, mlx.core as mx
from mlx import nn

def rope(x):
    return mx.fast.rope(x * 32**-0.25, 32, traditional=False, base=10_000.0, scale=1.0, offset=0)

def attention(q, k, v):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask="causal")

def check(name, kernel, plain, arrays, *others):
    def both(function):
        out, grads = mx.vjp(lambda *given: function(*given, *others), arrays, [mx.random.normal(shape, key=key)])
        return [*out, *grads]
    key, shape = mx.random.key(1), plain(*arrays, *others).shape
    for one, other in zip(both(kernel), both(plain)):
        error = mx.abs(one - other).max().item() / mx.abs(other).max().item()
        print(name, error)
        assert error < (0.04 if name in ("attention", "loss") else 1e-5)

x, y, z = (mx.random.normal((2, 3, 40, 32), key=mx.random.key(seed)) for seed in range(3))
tokens = mx.random.randint(0, 32, (2, 3, 40), key=mx.random.key(3))
check("norm", kernels.norm, lambda x: mx.fast.rms_norm(x, None, 1e-6), [x])
check("relu", kernels.relu_squared, lambda x: mx.square(nn.relu(x)), [x])
check("rotary", kernels.Rotary(32, 64), rope, [x])
check("attention", kernels.causal_attention, attention, [rope(kernels.norm(x)), rope(kernels.norm(y)), z])
check("loss", kernels.cross_entropy, lambda x, t: nn.losses.cross_entropy(x, t, reduction="mean"), [x], tokens)
check("embedding", kernels.look_up, lambda table, rows: table[rows].sum(0), [x[0, 0]], tokens)
"""


def test_the_kernels_say_what_mlx_says(tmp_path: Path) -> None:
    """Values and gradients, each against MLX's own function; exp is within 4 %."""
    copy_template(tmp_path)
    (tmp_path / "check.py").write_text(KERNELS)
    result = run(tmp_path, "check.py")
    assert result.returncode == 0, result.stdout + result.stderr

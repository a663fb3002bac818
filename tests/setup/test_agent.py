"""``gitexp init --agent``: what it writes, that its texts hold, and an agent that does what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitexp.cli import COMMANDS, cli
from gitexp.ledger.row import COLUMNS
from gitexp.model import Iteration, Status
from gitexp.resources import data_dir
from gitexp.setup.agent import BEGIN, END, MESSAGE, NOTES, SKILL, SKILL_FILES, with_section
from gitexp.views.notebook import COMPUTED, WRITTEN_BY_PEOPLE
from tests.helpers.command_line import Gitexp, refused
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, make_repository, set_lr, state_of

SOURCE = data_dir("templates") / "agent"
SECTION = (SOURCE / NOTES).read_bytes()
TEXTS = {str(file.relative_to(SOURCE)): file.read_text() for file in [SOURCE / NOTES, *SOURCE.glob("skill/*/*")]}
TEXTS["skill/SKILL.md"] = (SOURCE / "skill" / "SKILL.md").read_text()
WRITTEN = [*(f"{SKILL}/{name}" for name in SKILL_FILES), NOTES]
TRAINER = f"{SKILL}/scripts/time_budget_train.py"


def front_matter(text: str) -> tuple[dict[str, object], str]:
    empty, matter, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    assert empty == ""
    found = yaml.safe_load(matter)
    assert isinstance(found, dict)
    return found, body


def blocks(text: str) -> list[list[str]]:
    return [block.splitlines() for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def commands(text: str) -> list[str]:
    """Each gitexp command in a text: in `code`, or on a line of its own."""
    spans = re.findall(r"`(gitexp\s[^`]+)`", text)
    lines = re.findall(r"^\s*(gitexp \S.*)$", "\n".join(line for block in blocks(text) for line in block), re.MULTILINE)
    lines += re.findall(r"^  (gitexp \S.*)$", text, re.MULTILINE)
    return [" ".join(command.split()) for command in spans + lines]


def parsed(command: str) -> click.Context:
    """What the command line makes of a command, without running it. Raises for what it does not know."""
    words = shlex.split(command)[1:]
    found: click.Command = cli
    while isinstance(found, click.Group) and words and (below := found.get_command(click.Context(found), words[0])):
        found, words = below, words[1:]
    assert found is not cli, f"{command}: no such command"
    # A command remembers the help option of its first context: that has to be a child of the group's.
    group = click.Context(cli, **cli.context_settings)
    words, asked = [word for word in words if word != "-h"], "-h" in words
    return found.make_context(found.name, words, parent=group, resilient_parsing=asked)


# -- the texts -------------------------------------------------------------------------------------------------------


def test_the_front_matter_is_what_agents_read() -> None:
    matter, body = front_matter(TEXTS["skill/SKILL.md"])
    kinds = {key: type(value) for key, value in matter.items()}
    texts = ("name", "description", "argument-hint", "allowed-tools", "context")
    assert kinds == dict.fromkeys(texts, str) | {"disable-model-invocation": bool}
    assert re.fullmatch(r"[a-z0-9-]{1,64}", str(matter["name"]))
    assert matter["name"] == Path(SKILL).name
    assert 1 <= len(str(matter["description"])) <= 1024
    assert not re.search(r"[<>]", str(matter["description"]))
    assert matter["argument-hint"] == "path to train.py or description of experiment goal"
    assert matter["disable-model-invocation"] is True
    assert matter["context"] == "fork"
    assert "$ARGUMENTS" in body
    assert body.count("\n") < 100


def allowed() -> list[str]:
    text = str(front_matter(TEXTS["skill/SKILL.md"])[0]["allowed-tools"])
    tools = re.findall(r"[A-Z][A-Za-z]*(?:\([^()]+\))?", text)
    assert " ".join(tools) == text, "a list of tools, with a space between them"
    assert len(tools) == len(set(tools))
    return tools


def test_the_allowed_tools_are_what_the_protocol_needs() -> None:
    tools = allowed()
    assert {tool for tool in tools if "(" not in tool} == {"Read", "Edit", "Write", "Glob", "Grep"}
    shell = [re.fullmatch(r"Bash\(gitexp ([a-z]+) \*\)", tool) for tool in tools if "(" in tool]
    names = {found[1] for found in shell if found}
    assert len(names) == len(shell), "commands of gitexp, and no other"
    assert names <= set(COMMANDS)
    used = {command.split()[1] for command in commands(TEXTS["skill/SKILL.md"])}
    assert used <= names
    assert not names & {"breaker", "test", "hook", "abort"}, "these are for a person"


def test_every_file_that_a_text_links_to_exists() -> None:
    links = [
        (name, link)
        for name, text in TEXTS.items()
        for link in re.findall(r"\]\(([^)]+)\)", text)
        if name.endswith(".md")
    ]
    assert len(links) >= 5
    for name, link in links:
        assert (SOURCE / name).parent.joinpath(link).is_file(), f"{name} links to {link}"
    assert {link for name, link in links if name == "skill/SKILL.md"} == set(SKILL_FILES[1:])
    for path in re.findall(r"`(\.claude/[^`]+)`", TEXTS[NOTES]):
        assert path.removeprefix(f"{SKILL}/") in SKILL_FILES


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_that_a_text_names_exists(name: str) -> None:
    found = commands(TEXTS[name])
    assert found
    for command in found:
        assert parsed(command)


def test_the_commands_of_the_texts_are_found() -> None:
    assert commands("Do `gitexp\nlog -n 2`, and\n```sh\ngitexp step -m x\n```\n") == [
        "gitexp log -n 2",
        "gitexp step -m x",
    ]
    with pytest.raises(click.NoSuchOption):
        parsed("gitexp log --colour")
    with pytest.raises(AssertionError, match="no such command"):
        parsed("gitexp logg")


def test_the_guide_names_the_columns_and_the_template_the_sections() -> None:
    assert "  ".join(COLUMNS) in TEXTS["skill/references/autoexperiment-guide.md"]
    headings = re.findall(r"^## (.+)$", TEXTS["skill/references/EXPERIMENT.md.template"], re.MULTILINE)
    assert sorted(headings) == sorted(WRITTEN_BY_PEOPLE + COMPUTED)


def test_the_template_of_experiment_md_is_read_as_it_is_meant(folder: Path, gitexp: Gitexp) -> None:
    (folder / "EXPERIMENT.md").write_text(TEXTS["skill/references/EXPERIMENT.md.template"])
    gitexp("init")
    notes = ledger_of(folder).notes
    assert notes.goal == "The lowest val_bpb in 300 seconds of training on this machine."
    assert (notes.hypothesis or "").startswith("The model is too large")
    assert notes.constraints == ("One change at a time.", "No new dependency.")
    assert notes.next == ("depth 8 -> 4", "twice the learning rate", "half the batch")
    assert notes.note is None


# -- init --agent ----------------------------------------------------------------------------------------------------


def files_of(commit: str) -> list[str]:
    return git("show", "--format=", "--name-only", commit).splitlines()


def test_they_are_committed_and_the_experiment_starts_from_them(folder: Path, gitexp: Gitexp) -> None:
    said = gitexp("init", "--agent", "--budget", "5").stdout
    commit = git("rev-parse", "main").strip()
    assert f"Committed on main as {commit[:10]}" in said
    assert "exp000 val_bpb 2.040000" in said
    assert sorted(files_of("main")) == sorted(WRITTEN)
    assert git("log", "-1", "--format=%s", "main").strip() == MESSAGE
    assert git("rev-parse", "exp/train^").strip() == commit
    assert git("status", "--porcelain") == ""
    for name in SKILL_FILES:
        assert (folder / SKILL / name).read_bytes() == (SOURCE / "skill" / name).read_bytes()
    assert (folder / NOTES).read_bytes() == SECTION
    set_lr(folder, 0.2)
    gitexp("step", "-m", "LR")
    assert files_of("HEAD") == ["train.py"]


def test_again_changes_nothing(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--agent")
    before = state_of(folder)
    said = gitexp("init", "--agent").stdout
    assert said.startswith("The agent's files are up to date.\nexp/train is checked out: nothing was run.")
    assert state_of(folder) == before
    git("switch", "-q", "main")
    assert "Written" not in gitexp("init", "--agent", "--name", "two").stdout
    assert git("rev-parse", "exp/two^") == git("rev-parse", "main")


def test_beside_an_experiment_they_are_left_untracked(experiment: Path, gitexp: Gitexp) -> None:
    tip = git("rev-parse", "HEAD")
    result = gitexp("init", "--agent", "--budget", "7")
    assert "These files stay untracked" in result.stdout
    assert "exp/train is checked out: nothing was run." in result.stdout
    assert result.stderr == ""
    assert git("rev-parse", "HEAD") == tip
    assert git("status", "--porcelain", "-uall").splitlines() == [f"?? {path}" for path in sorted(WRITTEN)]
    set_lr(experiment, 0.2)
    assert "KEEP" in gitexp("step", "-m", "LR").stdout
    assert files_of("HEAD") == ["train.py"]
    assert "nothing was run" in gitexp("init", "--agent").stdout


def test_what_is_tracked_beside_an_experiment_stays(folder: Path, gitexp: Gitexp) -> None:
    (folder / NOTES).write_text("# Ours\n")
    git("add", NOTES)
    git("commit", "-qm", "ours")
    gitexp("init")
    assert f"Not changed: {NOTES}." in gitexp("init", "--agent").stdout
    assert (folder / NOTES).read_text() == "# Ours\n"
    assert (folder / SKILL / "SKILL.md").exists()
    set_lr(folder, 0.2)
    assert "KEEP" in gitexp("step", "-m", "LR").stdout


def test_an_editable_folder_must_not_take_them(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--edit", ".")
    assert f"{WRITTEN[0]} would become part of the next step" in refused(gitexp, folder, "init", "--agent")
    git("switch", "-q", "main")
    gitexp("init", "--agent", "--edit", ".", "--name", "two")
    set_lr(folder, 0.2)
    gitexp("step", "-m", "LR")
    assert files_of("HEAD") == ["train.py"]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_agents_md_gets_one_section_and_nothing_else(folder: Path, gitexp: Gitexp, end: str) -> None:
    file = folder / NOTES
    ours = f"# Ours{end}{end}Be kind.{end}".encode()
    file.write_bytes(ours)
    file.chmod(0o664)
    git("add", NOTES)
    git("commit", "-qm", "ours")
    gitexp("init", "--agent")
    section = SECTION.replace(b"\n", end.encode())
    assert file.read_bytes() == ours + end.encode() + section
    assert file.stat().st_mode & 0o777 == 0o664
    git("switch", "-q", "main")
    older = section.replace(b"ONE", b"one or two")
    file.write_bytes(b"above" + end.encode() + older + b"below")
    git("commit", "-qam", "older")
    gitexp("init", "--agent", "--name", "two")
    assert file.read_bytes() == b"above" + end.encode() + section + b"below"
    assert files_of("main") == [NOTES]


@given(text=st.binary().filter(lambda text: b"<!-- gitexp: " not in text))
def test_the_section_can_be_taken_out_again(text: bytes) -> None:
    held = with_section(text, SECTION)
    assert held.startswith(text)
    assert held.count(BEGIN) == held.count(END) == 1
    assert with_section(held, SECTION) == held


def test_what_somebody_keeps_out_of_git_stays_out(folder: Path, gitexp: Gitexp) -> None:
    (folder / NOTES).write_text("mine alone\n")
    (folder / ".git/info/exclude").write_text(f"{SKILL}/references\n")
    gitexp("init", "--agent")
    assert sorted(files_of("main")) == sorted(f"{SKILL}/{name}" for name in ("SKILL.md", SKILL_FILES[3]))
    assert (folder / NOTES).read_text() == "mine alone\n\n" + SECTION.decode()
    assert git("status", "--porcelain") == f"?? {NOTES}\n"
    git("switch", "-q", "main")
    before = git("rev-parse", "main")
    gitexp("init", "--agent", "--name", "two")
    assert git("rev-parse", "main") == before


def test_a_link_is_followed_inside_the_work_tree_and_no_further(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    (folder / "CLAUDE.md").write_text("# Ours\n")
    (folder / NOTES).symlink_to("CLAUDE.md")
    git("add", "-A")
    git("commit", "-qm", "ours")
    gitexp("init", "--agent")
    assert (folder / NOTES).is_symlink()
    assert (folder / "CLAUDE.md").read_text() == "# Ours\n\n" + SECTION.decode()
    assert "CLAUDE.md" in files_of("main")
    elsewhere = make_repository(tmp_path / "elsewhere", {"train.py": TOY})
    (folder / ".claude").rename(tmp_path / "claude")
    (folder / ".claude").symlink_to(tmp_path / "claude")
    assert "outside this work tree" in refused(gitexp, folder, "init", "--agent")
    (folder / ".claude").unlink()
    elsewhere.rename(folder / ".claude")
    assert "cannot be written" in refused(gitexp, folder, "init", "--agent")


def test_what_else_is_staged_is_not_committed_along_and_no_hook_is_run(folder: Path, gitexp: Gitexp) -> None:
    (folder / "new.txt").write_text("staged")
    git("add", "new.txt")
    hook = folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert "The index has staged changes" in gitexp("init", "--agent", "--edit", ".", code=1).stderr
    assert sorted(files_of("main")) == sorted(WRITTEN)
    assert git("status", "--porcelain") == "A  new.txt\n"


def test_a_baseline_that_crashes_leaves_them_committed(folder: Path, gitexp: Gitexp) -> None:
    (folder / "train.py").write_text("import nowhere_to_be_found\n")
    result = gitexp("init", "--agent", code=1)
    assert "Committed on main" in result.stdout
    assert "The baseline crashed" in result.stderr
    assert sorted(files_of("main")) == sorted(WRITTEN)


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "tracked"), [*zip(SKILL_FILES, (True, False, True, False), strict=True)])
def test_a_skill_file_of_somebody_elses(folder: Path, gitexp: Gitexp, name: str, tracked: bool) -> None:
    file = folder / SKILL / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    if tracked:
        git("add", "-A")
        git("commit", "-qm", "mine")
    said = refused(gitexp, folder, "init", "--agent")
    assert f"{SKILL}/{name} exists and is not what this gitexp writes" in said
    assert file.read_text() == "mine"
    assert not (folder / NOTES).exists()
    command = said.split("try: ")[1].partition(" && ")[0]
    subprocess.run(command, shell=True, cwd=folder, check=True)
    gitexp("init", "--agent")
    assert file.read_bytes() == (SOURCE / "skill" / name).read_bytes()
    assert git("diff", "HEAD") == ""


@pytest.mark.parametrize("text", [BEGIN, END, END + b"\n" + BEGIN, 2 * (BEGIN + END)])
def test_marks_that_do_not_pair(folder: Path, gitexp: Gitexp, text: bytes) -> None:
    (folder / NOTES).write_bytes(text)
    assert "once each" in refused(gitexp, folder, "init", "--agent")
    assert (folder / NOTES).read_bytes() == text


def test_an_agents_md_that_is_being_edited(folder: Path, gitexp: Gitexp) -> None:
    (folder / NOTES).write_text("ours\n")
    git("add", NOTES)
    git("commit", "-qm", "ours")
    (folder / NOTES).write_text("ours, half-wr")
    assert f"{NOTES} differs from HEAD" in refused(gitexp, folder, "init", "--agent")


@pytest.mark.parametrize("lock", ["index.lock", "HEAD.lock"])
def test_a_commit_that_fails_takes_everything_back(folder: Path, gitexp: Gitexp, lock: str) -> None:
    (folder / NOTES).write_text("")
    git("add", NOTES)
    git("commit", "-qm", "empty")
    (folder / ".git" / lock).touch()
    before = state_of(folder)
    assert "git " in gitexp("init", "--agent", code=1).stderr
    assert state_of(folder) == before


def test_a_file_that_cannot_be_written_takes_everything_back(folder: Path, gitexp: Gitexp) -> None:
    (folder / SKILL).mkdir(parents=True)
    (folder / SKILL / "scripts").write_text("a file where a folder must be")
    before = state_of(folder)
    assert gitexp("init", "--agent", code=1).stderr.startswith("gitexp: ")
    assert state_of(folder) == before


# -- an agent --------------------------------------------------------------------------------------------------------


class Agent:
    """Does what SKILL.md says, word for word, and nothing else; its edits and its words are given."""

    def __init__(self, folder: Path, gitexp: Gitexp) -> None:
        text = (folder / SKILL / "SKILL.md").read_text()
        self.round = blocks(text.partition("## Each round")[2])[0]
        self.advice = dict(re.findall(r"^\| (\d+) \|(.*)\|$", text, re.MULTILINE))
        self.folder, self.gitexp = folder, gitexp
        self.said, self.report, self.refusals = "", "", 0

    def play(self, words: str, edit: Callable[[], None]) -> bool:
        """One round. False: it was told to stop."""
        for line in self.round:
            if line.startswith("#"):
                edit()
            elif not self.type(line, words):
                return False
        return True

    def type(self, command: str, words: str) -> bool:
        filled = [words if " " in word or word == "..." else word for word in shlex.split(command, comments=True)]
        result = self.gitexp(*filled[1:], code=None)
        self.said = result.stdout
        advice = self.advice[str(result.exit_code)]
        if "STOP" in advice:
            self.report = result.stderr
            return False
        return result.exit_code == 0 or self.obey(result.stderr, advice, command, words)

    def obey(self, refusal: str, advice: str, command: str, words: str) -> bool:
        assert "type the command after `try:`" in advice, advice
        self.refusals += 1
        hint = refusal.partition("\n  try: ")[2].strip()
        if hint.startswith("gitexp step"):
            return self.type(hint, words)
        subprocess.run(hint, shell=True, cwd=self.folder, check=True)
        return self.type(command, words)


def last(folder: Path) -> Iteration:
    return ledger_of(folder).iterations[-1]


@pytest.mark.slow
def test_an_agent_that_does_what_the_skill_says_runs_all_night(
    tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_repository(tmp_path / "night", {"train.py": TOY, "data.txt": "1 2 3", NOTES: "# Ours\n"})
    monkeypatch.chdir(folder)
    gitexp("init", "--agent", "--budget", "5", "--freeze", "data.txt")
    agent = Agent(folder, gitexp)

    def lr(value: object) -> Callable[[], None]:
        return lambda: set_lr(folder, value)

    def careless() -> None:
        set_lr(folder, 0.21)
        (folder / "data.txt").write_text("3 3 3")

    rates = [0.2, 0.9, 0.9, careless, "undefined", 0.22, 0.23, 0.1, 0.24, 0.6, 0.25, 0.26, 0.0, 0.27, 0.28, 0.5, 0.29]
    for at, rate in enumerate(rates):
        assert agent.play(f"try {rate}: `it's` $HOME #{at}\n", rate if callable(rate) else lr(rate))
    assert agent.refusals == 2, "an edit that was tried before, a frozen file that was touched"
    for index in range(3):
        assert agent.play(f"crash {index}", lr(f"[][{index}]"))
    assert len(ledger_of(folder).iterations) == 1 + 20
    assert not agent.play("one more", lr(0.3))

    assert "The circuit breaker is open: exp018, exp019, exp020 crashed in a row" in agent.report
    assert "IndexError" in agent.report
    assert "  fix " in agent.report
    ledger = ledger_of(folder)
    assert len(ledger.iterations) == 1 + 20
    assert [ledger.count(status) for status in Status] == [11, 6, 4]
    assert ledger.foreign_commits == ()
    assert ledger.notes.hypothesis == "crash 2"
    assert ledger.notes.next == ("crash 2",)
    for commit in git("rev-list", "main..HEAD").split():
        assert files_of(commit) in ([], ["train.py"])
    assert (folder / "data.txt").read_text() == "1 2 3"
    git("restore", "train.py")
    assert git("status", "--porcelain") == ""
    assert "in order" in gitexp("fsck").stdout
    assert len((folder / "results.tsv").read_text().splitlines()) == 1 + 21


# -- the script ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_script_trains(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--agent", TRAINER, "--budget", "5")
    assert files_of("HEAD") == []
    baseline = ledger_of(folder, "time_budget_train").baseline.measurement
    assert baseline.score is not None
    assert 2 < baseline.score < 6  # 8 is what knowing nothing scores
    assert {sample.seed for sample in baseline.samples} == {0, 1}
    assert len({sample.score for sample in baseline.samples}) == 2
    metrics = dict(baseline.metrics)
    assert metrics["steps"] > 10
    assert metrics["tokens_per_second"] > 1000
    assert 5 <= metrics["training_seconds"] < 7
    assert 10 < (baseline.memory_mb or 0) < 10_000
    assert baseline.device.split(",")[0] in ("cpu", "gpu")
    assert baseline.data == "the Python standard library"
    assert len((folder / TRAINER).with_name("results.tsv").read_text().splitlines()) == 2
    assert "on the held-out split" in gitexp("test").stdout


@pytest.mark.slow
def test_the_script_fails_fast_and_says_why(folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    gitexp("init", "--agent", "--budget", "5")
    script = folder / TRAINER
    script.write_text(script.read_text().replace("LEARNING_RATE = 0.005", "LEARNING_RATE = 1e9"))
    said = gitexp("init", TRAINER, "--budget", "60", "--name", "wild", code=1).stderr
    assert "training has diverged" in said
    monkeypatch.setenv("GITEXP_DATA", "/nowhere")
    assert "the text cannot be read" in gitexp("init", TRAINER, "--name", "wild", code=1).stderr

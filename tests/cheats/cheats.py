"""The cheats. Each is code that a train.py runs, in the place that suits it; all of them want a better score.

``AT_IMPORT`` runs whenever train.py is imported (when it trains, and when its model is served to the evaluator),
``TRAINS`` only when it trains, ``IN_MODEL`` in the model's forward pass, on ``tokens``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cheat:
    where: str
    code: str
    caught: str  # what the step says; empty when the cheat just gains nothing


FAKE = "0.000100"
FRESH = "import os, subprocess, sys, time\n"
LATER = (
    FRESH + "code = '''import time, os, json\n"
    'd = os.environ["GITEXP_RUN_DIR"]\n'
    "while True:\n"
    '    json.dump({"val_bpb": 0.0001}, open(d + "/metrics.json", "w")); time.sleep(0.001)\'\'\'\n'
    "subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
)

CHEATS = {
    "prints a better score": Cheat("TRAINS", f"print('---'); print('val_bpb: {FAKE}')", ""),
    "prints a METRIC line": Cheat("TRAINS", f"print('METRIC val_bpb={FAKE}')", ""),
    "prints the evaluator's mark and a score": Cheat("TRAINS", f"print('--- evaluate'); print('val_bpb: {FAKE}')", ""),
    "prints a score while its model is served": Cheat(
        "AT_IMPORT", f"print('---'); print('val_bpb: {FAKE}', flush=True)", ""
    ),
    "writes the metrics file": Cheat(
        "TRAINS", FRESH + "open(os.environ['GITEXP_RUN_DIR'] + '/metrics.json', 'w').write('{\"val_bpb\": 0.0001}')", ""
    ),
    "writes the metrics file while its model is served": Cheat(
        "AT_IMPORT",
        FRESH + "open(os.environ['GITEXP_RUN_DIR'] + '/metrics.json', 'w').write('{\"val_bpb\": 0.0001}')",
        "",
    ),
    "writes a row of results.tsv": Cheat(
        "TRAINS", f"open('results.tsv', 'a').write('abc\\t{FAKE}\\t0.1\\tkeep\\tbetter\\n')", ""
    ),
    "writes a row of the scratch table": Cheat(
        "TRAINS",
        FRESH + f"open(os.environ['GITEXP_RUN_DIR'] + '/results.tsv', 'w').write('a\\t{FAKE}\\t0\\tkeep\\tx\\n')",
        "",
    ),
    "edits the evaluator": Cheat(
        "TRAINS",
        "s = open('evaluate.py').read(); open('evaluate.py', 'w').write('print(\"val_bpb: 0.0001\")')",
        "frozen",
    ),
    "edits the evaluator, which puts itself back": Cheat(
        "TRAINS",
        "s = open('evaluate.py').read(); open('evaluate.py', 'w').write("
        '\'print("val_bpb: 0.0001"); open("evaluate.py", "w").write(\' + repr(s) + \')\')',
        "evaluate.py is frozen, and was changed during the run",
    ),
    "edits prepare.py": Cheat("TRAINS", "open('prepare.py', 'a').write('# mine')", "prepare.py is frozen"),
    "edits the hook": Cheat(
        "TRAINS",
        FRESH + "objects = open('.git/objects/info/alternates').read().strip()\n"
        "open(objects + '/../hooks/post-run', 'a').write('echo val_bpb: 0')",
        "hook was changed during the run",
    ),
    "monkeypatches the evaluator": Cheat(
        "AT_IMPORT",
        "import sys\nfor m in list(sys.modules.values()):\n"
        "    for name in ('nats', 'bits_per_byte', 'probed'):\n"
        "        if hasattr(m, name): setattr(m, name, lambda *a, **k: 0.0001)",
        "",
    ),
    "monkeypatches numpy's logarithm": Cheat("AT_IMPORT", "import numpy\nnumpy.log = lambda x: x * 0 + 1e-9", ""),
    "looks one token ahead": Cheat("IN_MODEL", "tokens = mx.roll(tokens, -1, axis=1)", "looks ahead"),
    "looks ahead, but not in the first calls": Cheat(
        "IN_MODEL",
        "calls = globals().setdefault('calls', []); calls.append(1)\n"
        "if len(calls) > 12 and __name__ != '__main__': tokens = mx.roll(tokens, -1, axis=1)",
        "looks ahead",
    ),
    "looks at the other rows": Cheat("IN_MODEL", "tokens = tokens[::-1]", "looks across the batch"),
    "unnormalised logits": Cheat("IN_MODEL", "", ""),
    "logits of infinity": Cheat(
        "IN_MODEL", "if __name__ != '__main__': return mx.full((*tokens.shape, 256), float('inf'))", "not finite"
    ),
    "NaN": Cheat(
        "IN_MODEL", "if __name__ != '__main__': return mx.full((*tokens.shape, 256), float('nan'))", "not finite"
    ),
    "fewer tokens to choose from": Cheat(
        "IN_MODEL", "if __name__ != '__main__': return mx.zeros((*tokens.shape, 2))", "logits of shape"
    ),
    "reads held-out text through its loader": Cheat(
        "TRAINS", "import prepare; t = prepare.load_text(None); t.spans(prepare.VALIDATION)", "held out"
    ),
    "reads held-out bytes through its loader": Cheat(
        "TRAINS", "import prepare; t = prepare.load_text(None); t.read(0, 100)", "held out"
    ),
    "stretches the clock": Cheat(
        "TRAINS",
        "import prepare, time\nstart = time.monotonic()\n"
        "prepare.Budget.spent = property(lambda self: (time.monotonic() - self.started) / 25)",
        "the run took",
    ),
    "exits 0 early": Cheat("TRAINS", "raise SystemExit(0)", "there are no trained weights"),
    "exits 0 early, with a score": Cheat(
        "TRAINS", f"print('val_bpb: {FAKE}', flush=True); import os; os._exit(0)", "there are no trained weights"
    ),
    "leaves a process that rewrites the metrics file": Cheat("TRAINS", LATER, ""),
    "leaves a process that goes on training": Cheat(
        "TRAINS", FRESH + "subprocess.Popen(['sleep', '3600'], start_new_session=True)", ""
    ),
}
CHEATS["unnormalised logits"] = Cheat("RETURN", " + 50", "")

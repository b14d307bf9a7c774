"""Who may ask for a device: kernels for all, and the few files that set a process up or move tensors."""

import ast
from pathlib import Path

import nmt

PACKAGE = Path(nmt.__file__).parent
# Rooms where a kernel answers instead.
ROOMS = ("models", "decoding", "evaluation", "report")
# Elsewhere: what sets a process up, saves its generators, moves a batch, or says which machine it was.
MAY_ASK = {
    "corpus/batches/batch.py",
    "jobs/train.py",
    "run.py",
    "training/checkpoints/state.py",
    "training/meter.py",
    "training/precision.py",
    "training/ranks.py",
    "training/sharding.py",
    "training/update.py",
}
QUESTIONS = ("device.type", "is_cuda", "is_cpu", "torch.cuda", "torch.autocast")


def questions(text: str) -> set[str]:
    """Of those, what the code asks; ``x.device.type`` and ``device.type`` are one question."""
    names = {ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    return {question for question in QUESTIONS if any(f".{question}" in f".{name}" for name in names)}


def asking() -> set[str]:
    files = PACKAGE.rglob("*.py")
    return {str(path.relative_to(PACKAGE)) for path in files if questions(path.read_text())}


def test_the_questions_are_found():
    assert questions("if inputs.device.type == 'cpu': torch.cuda.synchronize()") == {"device.type", "torch.cuda"}
    assert questions("tensor.is_cuda") == {"is_cuda"}
    assert questions("x = model.device; y = x.typed") == set()


def test_only_kernels_ask_for_a_device_in_models_decoding_evaluation_and_report():
    assert not {name for name in asking() if name.startswith(ROOMS)}


def test_elsewhere_only_a_few_files_ask():
    assert {name for name in asking() if not name.startswith("kernels/")} <= MAY_ASK


def test_kernels_import_nothing_else_of_ours():
    imported = set()
    for path in (PACKAGE / "kernels").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nmt"):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names if alias.name.startswith("nmt")}
    assert all(name.startswith("nmt.kernels.") for name in imported), imported

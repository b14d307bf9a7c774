"""Who may import whom: a part imports only from lower floors, and nobody imports a door."""

import ast
from collections.abc import Set
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "nmt"
FLOORS = {
    "errors": 0,
    "digests": 0,
    "environment": 0,
    "kernels": 0,
    "progress": 0,
    "tokens": 0,
    "stopping": 0,
    "messages": 0,
    "streams": 0,
    "locks": 1,
    "swap": 1,
    "plugins": 1,
    "corpus": 1,
    "models": 1,
    "training": 2,
    "decoding": 2,
    "evaluation": 3,
    "report": 4,
    "inspection": 5,
    "schemas": 5,
    "option_types": 6,
    "shapes": 6,
    "verbatim": 6,
    "config": 6,
    "record": 6,
    "run": 7,
    "override_errors": 7,
    "jobs": 8,
    "door": 9,
    "__init__": 9,
    "__main__": 10,
}
DOORS = {"train", "compare", "evaluate", "translate", "align", "score", "export", "data"}
STRANGERS = [{"corpus", "models"}, {"training", "decoding"}]  # rooms of one floor that don't know each other


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("nmt"):
            names |= {node.module} if node.module != "nmt" else {f"nmt.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("nmt")}
    return {"nmt.__init__" if name == "nmt" else name for name in names}


def test_imports_go_down_only():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for name in imports(path):
            other = name.split(".")[1]
            if other in DOORS and path.relative_to(PACKAGE) != Path(f"{other}.py"):
                wrong.append(f"{path.name} imports the door {other}")
            elif other != room and room in FLOORS:
                apart = any({room, other} <= pair for pair in STRANGERS)
                if apart or FLOORS[other] > FLOORS[room]:
                    wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
            if room == "report" and other not in ("report", "errors", "swap") and name != "nmt.evaluation.results":
                wrong.append(f"report/{path.name} imports {name}, not only the results")
    assert not wrong, "\n".join(wrong)


def test_every_room_is_on_a_floor():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert rooms == FLOORS.keys() | DOORS


def test_nothing_outside_models_names_a_model_class():
    classes = ("RecurrentModel", "TransformerModel", "RecurrentOptions", "TransformerOptions")
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name not in ("models", "attention"):
            assert not any(name in path.read_text() for name in classes), path


def test_no_file_imports_itself_by_way_of_others():
    """Imports that only a type checker reads count, too: a file that needs another one's type needs that file."""
    paths = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    graph = {name: imported_files(path, paths.keys()) for name, path in paths.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the files


def imported_files(path: Path, known: Set[str]) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names |= {node.module, f"{node.module}.{alias.name}"} & known
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names} & known
    return names - {module_name(path)}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")

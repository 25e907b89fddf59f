"""Who may import whom, and what importing may do."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("train", "models", "predict")
MODULES = sorted(p for package in OURS for p in (ROOT / package).rglob("*.py"))
MAY_IMPORT = {
    "train": {"train", "predict", "models"},
    "predict": {"predict", "models"},
    "models": {"models"},
}
HOMES = {
    "torch": {"models/transformer.py", "models/device.py"},
    "transformers": {"models/transformer.py"},
    "safetensors": {"models/transformer.py"},
    "sklearn": {
        "models/blend.py",
        "models/tfidf.py",
        "models/transformer.py",
        "train/corpus.py",
        "train/suspects.py",
        "predict/review.py",
    },
    "cleanlab": {"train/suspects.py"},
    "skops": {"models/tfidf.py"},
    "mlflow": {f"train/{name}.py" for name in ("store", "tracking", "registry", "served", "sync")},
    "datasets": {"train/data.py"},
    "datasketch": {"train/splits.py"},
    "sentencex": {"predict/sentences.py"},
    "typer": {"train/cli.py"},
    "matplotlib": {"train/figures.py", "train/page.py"},
    "ray": {"predict/on_ray.py"},
    "jinja2": {"train/page.py", "predict/page.py"},
    "yaml": {"train/config.py", "train/card.py"},
}


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_packages_import_only_what_stands_below_them(path: Path) -> None:
    package = name_of(path).split("/")[0]
    ours = {name.split(".")[0] for name in imports(path)} & set(OURS)
    assert ours <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_packages_have_one_home(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)}
    assert not {
        package
        for package, homes in HOMES.items()
        if package in tops and name_of(path) not in homes
    }


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nobody_imports_the_command_line(path: Path) -> None:
    if name_of(path) != "train/__main__.py":
        assert not {name for name in imports(path) if name.startswith("train.cli")}


@pytest.mark.parametrize("family", ["tfidf", "transformer", "blend"])
def test_families_do_not_know_each_other(family: str) -> None:
    others = {"tfidf", "transformer", "blend"} - {family}
    assert not {
        name for name in imports(ROOT / "models" / f"{family}.py") if name.split(".")[-1] in others
    }


def loaded_after(statement: str, folder: Path) -> set[str]:
    """Top-level packages in ``sys.modules`` after ``statement`` in a new interpreter."""
    code = f"{statement}\nimport sys; print(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_importing_makes_no_folder_and_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_after("import train.cli, train.config, models, predict.on_ray", tmp_path)
    heavy = {"torch", "transformers", "mlflow", "datasets", "sklearn", "matplotlib", "ray"}
    assert not loaded & heavy
    assert list(tmp_path.iterdir()) == []


def test_a_tfidf_model_needs_no_torch(tmp_path: Path) -> None:
    statement = (
        "import models; from models.settings import TfidfSettings\n"
        "model = models.build(TfidfSettings(family='tfidf'), ['a', 'b'], 1)\n"
        "from models.tfidf import _skops_io; _skops_io()"
    )
    assert not loaded_after(statement, tmp_path) & {"torch", "transformers", "mlflow"}

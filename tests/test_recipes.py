"""What is recommended with a time is worth its time on two quiet cores, as far as speed was measured there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from nmt.config import CONFIG_FOLDER
from tests.conftest import ROOT
from tests.test_configs import shipped
from tests.test_docs import BLOCK, PAGES, commands

WARMUPS = 4  # a budget below so many warm-ups ends before the model has begun to translate
SPEED_ALONE = "benchmark/"  # experiments that measure nothing but speed
ON_A_GPU = "europarl/"  # their speed was never measured
MEASURED = {"grammar": ("demo", "attentions"), "multi30k_en_de": ("multi30k",), "europarl_en_fr": ("europarl-cpu",)}
REAL = ("multi30k", "europarl-cpu")  # tables of docs/results.md, as those above by kind of corpus
DEFAULTS = {"corpus": "grammar", "model": "lstm_attention", "batching.tokens": 4096, "optimizer.warmup_steps": 200}


@cache
def speed(table: str, is_transformer: bool) -> float:
    """The lowest number of target tokens a second of the systems of a table in docs/results.md."""
    text = (ROOT / "docs/results.md").read_text().partition(f"<!-- {table} -->")[2].partition(f"<!-- /{table} -->")[0]
    rows = re.findall(r"^\| (\w+) +\|(?: +[\d,.]+ \|){5} +([\d,]+) \|", text, re.MULTILINE)
    return min(float(speed.replace(",", "")) for name, speed in rows if (name == "transformer") == is_transformer)


def updates(recipe: dict[str, Any]) -> float:
    """The updates that a budget allows, at the lowest speed that was measured for such text and such a model."""
    tables = MEASURED.get(recipe["corpus"], REAL)
    tokens_per_second = min(speed(table, recipe["model"] == "transformer") for table in tables)
    amounts = [float("inf")]
    for name, updates_of_one in {
        "steps": 1.0,
        "tokens": 1 / recipe["batching.tokens"],
        "minutes": 60 * tokens_per_second / recipe["batching.tokens"],
    }.items():
        budget = float(recipe.get(f"trainer.max_{name}", 0))
        if budget:
            amounts.append(budget * updates_of_one)
    return min(amounts)


def experiment(name: str) -> dict[str, Any]:
    """An experiment's options by their full names, as far as they are its own or its shared ones'."""
    content = yaml.safe_load((CONFIG_FOLDER / f"experiment/{name}.yaml").read_text())
    recipe: dict[str, Any] = {}
    for default in content.pop("defaults", []):
        if isinstance(default, str):
            recipe |= experiment(default.removeprefix("/experiment/"))
        else:
            recipe |= {group.removeprefix("override /"): choice for group, choice in default.items()}
    for group, options in content.items():
        recipe |= {f"{group}.{option}": value for option, value in options.items()}
    return recipe


def with_options(recipe: dict[str, Any], words: list[str]) -> dict[str, Any]:
    """A recipe with options as they are typed; of several values in a sweep the first."""
    typed = dict(word.split("=", 1) for word in words if "=" in word)
    whole = DEFAULTS | (experiment(typed.pop("+experiment")) if "+experiment" in typed else {}) | recipe | typed
    for name in ("batching.tokens", "optimizer.warmup_steps"):
        whole[name] = float(str(whole[name]).partition(",")[0])
    return whole


def recommended() -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that a user is told to train, with where it is said."""
    for name in shipped("experiment"):
        if not name.startswith((SPEED_ALONE, ON_A_GPU)):
            yield name, with_options({}, [f"+experiment={name}"])
    for name in shipped("comparison"):
        content = comparison(name)
        budget: dict[str, Any] = {}
        if content.get("match"):
            budget = dict.fromkeys(("trainer.max_steps", "trainer.max_minutes", "trainer.max_tokens"), 0)
            budget[f"trainer.max_{content['match']}"] = content["budget"]
        for system, options in content["systems"].items():
            words = [
                f"+experiment={options['experiment']}",
                *content.get("overrides", []),
                *options.get("overrides", []),
            ]
            if content.get("device") == "cpu" or ON_A_GPU not in options["experiment"]:
                yield f"{name}: {system}", with_options(budget, words)
    for page in PAGES:
        for kind, block in BLOCK.findall(page.read_text()):
            for command in commands(block) if kind == "bash" else ():
                words = shlex.split(command)
                is_for_gpu = "device=cuda" in words or SPEED_ALONE in command
                if "nmt.train" in words and not is_for_gpu:
                    yield f"{page.name}: {command}", with_options({}, words[words.index("nmt.train") :])


def comparison(name: str) -> dict[str, Any]:
    """A comparison's options, on top of those that it begins with."""
    content = yaml.safe_load((CONFIG_FOLDER / f"comparison/{name}.yaml").read_text())
    before: dict[str, Any] = {}
    for default in content.pop("defaults", []):
        if default != "_self_":
            before = comparison(default)
    systems = before.get("systems", {})
    for system, options in content.get("systems", {}).items():
        systems[system] = systems.get(system, {}) | options
    return before | content | {"systems": systems}


def test_every_recommended_budget_lets_a_model_begin_to_translate():
    short = []
    for place, recipe in recommended():
        needed = WARMUPS * recipe["optimizer.warmup_steps"]
        count = updates(recipe)
        if count < needed:
            short.append(f"{place}: {count:.0f} updates, {needed:.0f} are {WARMUPS} warm-ups")
    assert not short, "\n".join(short)

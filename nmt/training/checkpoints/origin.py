"""What the use of a checkpoint depends on besides its weights: kept in it, and compared with what lies beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nmt.errors import UserError


@dataclass(frozen=True)
class Origin:
    """Tokenizer, options and text that weights were trained with."""

    tokenizer: dict[str, str]  # a hash of each model, by the name of its file
    options: dict[str, str]  # those that can't change in training, and the languages, by full name
    text: dict[str, str] = field(default_factory=dict)  # fingerprints of train and valid; {} where a run is only used
    defaults: dict[str, str] = field(default_factory=dict)  # of options, which a record may be older than; not kept

    def to_json(self) -> str:
        return json.dumps({"tokenizer": self.tokenizer, "options": self.options, "text": self.text})

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        record = json.loads(text)
        return cls(dict(record["tokenizer"]), dict(record["options"]), dict(record["text"]))

    def check(self, recorded: Origin, path: Path, run: Path) -> None:
        """Raises UserError where this run, in the folder ``run``, is not what the checkpoint ``path`` was trained as.

        The text is not compared: it need not be there where a run is used. Of a file outside the run's own checkpoints
        only tokenizer, model and languages are, without which it can't be used.
        """
        is_own = path.resolve().parent == (run / "checkpoints").resolve()
        for name in sorted(self.tokenizer.keys() | recorded.tokenizer.keys()):
            if self.tokenizer.get(name) != recorded.tokenizer.get(name):
                raise UserError(
                    f"{run / 'tokenizer' / name}: not what {path.name} was trained with (its digest differs); put the "
                    "run's own tokenizer back, or train again"
                )
        for name, now, trained in self._changes(recorded):
            if not is_own and not name.startswith(("model.", "corpus.")):
                continue
            raise UserError(
                f"{run / 'config.yaml'}: {name}={now}, but {path.name} was trained with {name}={trained}; set it back"
            )

    def _changes(self, recorded: Origin) -> Iterator[tuple[str, str, str]]:
        """Yields options that differ, with both values: one that came after the record counts as at its default."""
        for name in sorted(self.options.keys() | recorded.options.keys()):
            now = self.options.get(name, "unknown")
            trained = recorded.options.get(name, self.defaults.get(name, "unknown"))
            if now != trained:
                yield name, now, trained

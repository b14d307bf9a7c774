"""The kinds of corpora: importing one of them registers all."""

from nmt.corpus.kinds import datasets, files, grammar, tasks  # noqa: F401, each registers its kind

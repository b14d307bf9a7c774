"""Attention = score x scope x read. Importing any part of it registers all shipped scores, scopes and reads."""

from nmt.models.attention import reads, scopes, scores

__all__ = ["reads", "scopes", "scores"]

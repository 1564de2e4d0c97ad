"""Patterns of names that several services of Google share."""

from __future__ import annotations

RFC1035 = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"

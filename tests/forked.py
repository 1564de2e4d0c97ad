"""Runs work in forked processes, as other runs on this machine would. The contract of a store ships it."""

from __future__ import annotations

from mlspec.targets.contract.forked import Work, exit_code_of, in_child, in_children, start_child

__all__ = ["Work", "exit_code_of", "in_child", "in_children", "start_child"]

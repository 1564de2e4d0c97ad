"""Whom notices are sent to: one module a kind of receiver. Each sends one notice once; when to try again is not its business."""

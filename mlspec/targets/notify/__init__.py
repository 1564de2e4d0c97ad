"""Senders of notices, one module for each kind of receiver. A sender makes one attempt; the caller decides about retries."""

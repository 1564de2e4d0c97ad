"""Recognises text that looks like a secret and redacts it, so that an error message carries no key into a log.

There are two rules: the known forms of issuers' keys, and long random-looking words. Some secrets are not recognised (plain
hexadecimal is left alone, because commits and checksums look the same), so this is the last guard, not the first.
"""

from __future__ import annotations

import re
from itertools import pairwise

from mlspec.log_context import HIDDEN

REDACTED = HIDDEN

_FORMS = re.compile(
    r"AIza[0-9A-Za-z_-]{30,}"  # Google API key
    r"|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,}"  # Google access token, OAuth client secret
    r"|-----BEGIN [A-Z ]*PRIVATE KEY.*"
    r"|gh[pousr]_[0-9A-Za-z]{30,}|github_pat_[0-9A-Za-z_]{30,}|glpat-[0-9A-Za-z_-]{20,}"
    r"|xox[abeoprs]-[0-9A-Za-z-]{10,}"
    r"|hooks\.slack\.com/(?:services|workflows|triggers)/\S+|discord(?:app)?\.com/api/webhooks/\S+|webhook\.office\.com/\S+"
    # Addresses whose path is the key: PagerDuty's events, Teams' workflows, Zapier, a health check.
    r"|events(?:\.eu)?\.pagerduty\.com/(?:integration|x-ere|generic)/\S+|hooks\.zapier\.com/hooks/\S+|hc-ping\.com/\S+"
    r"|(?:logic\.azure|environment\.api\.powerplatform)\.com(?::[0-9]+)?/\S*workflows/\S+"
    r"|A(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}|[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|sk-[0-9A-Za-z_-]{32,}|npm_[0-9A-Za-z]{36}"
    # An AWS secret key is 40 characters of base64: after its name, or as Amazon's documentation writes it.
    r"|(?i:(?<=secret_access_key)|(?<=secretaccesskey)|(?<=secret_key)|(?<=secretkey))[\"']?\s*[:=]\s*[\"']?[0-9A-Za-z/+]{40}"
    r"|[0-9A-Za-z/+]{26,33}EXAMPLEKEY"
    r"|SG\.[0-9A-Za-z_-]{20,}(?:\.[0-9A-Za-z_-]*)?|hf_[0-9A-Za-z]{30,}|pypi-[0-9A-Za-z_-]{50,}|dapi[0-9a-f]{32}|do[opr]_v1_[0-9a-f]{40,}"
    r"|(?i:(?<=accountkey=)|(?<=sharedaccesskey=)|(?<=[?&]sig=)|(?<=[?&]token=)|(?<=[?&]api_key=))[^&;\s\"']{16,}"
    r"|(?i:(?<=bearer ))[0-9A-Za-z._~+/=-]{16,}"  # the token of an HTTP authorization header
    r"|(?i:(?<=x-goog-signature=)|(?<=x-goog-credential=)|(?<=access_token=))[^&\s\"']{8,}"  # signed addresses
    r"|eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}(?:\.[0-9A-Za-z_-]*)?"  # JSON web token
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # the user:password of an address
    r"|(?<=[?&]password=)[^&\s\"']+|(?<=[?&]sslpassword=)[^&\s\"']+"  # the same among its parameters
    r"|[?&][^=&\s\"']*%[^=&\s\"']*=[^&\s\"']+"  # a parameter with an encoded name, which may hide one of those above
)
# Keys whose value would be a secret. `password_secret` is not among them: its value is a secret's name.
_KEYED = (
    r"(?:[A-Za-z0-9_-]*[_-])?(?:password|passwd|passphrase|pwd|token|credentials?|connection[_-]?string"
    r"|(?:api|access|account|private|secret|shared|signing)[_-]?key)"
)
_IS_KEYED = re.compile(_KEYED, re.IGNORECASE)
_KEY_AND_VALUE = re.compile(
    rf"(?<![A-Za-z0-9_-])({_KEYED})([\"']?\s*:\s*)(?:\"[^\"]*\"?|'[^']*'?|[^\s,}}]+)", re.IGNORECASE
)
_WORD = re.compile(r"[0-9A-Za-z+/_=-]{24,}")
# Measured: of random texts (18 to 48 bytes in base64) 90 to 99 % are recognised; of 86,000 words from Python sources 6, of
# 60,000 paths none.
_SWITCHES = 0.28  # the share of neighbouring characters that change between digits, lower case and upper case (not upper to lower)
_MARKS = 8  # in a random word at most one character in eight is one of + / _ = -


def looks_secret(text: str) -> bool:
    """Return whether a text has the form of a known key, or contains a long random-looking word."""
    return bool(_FORMS.search(text)) or any(_looks_random(match[0]) for match in _WORD.finditer(text))


def redact_secrets(text: str) -> str:
    """Return a text in which everything that looks like a secret is replaced by REDACTED."""
    text = _FORMS.sub(REDACTED, text)
    return _WORD.sub(lambda match: REDACTED if _looks_random(match[0]) else match[0], text)


def is_secret_key(key: str) -> bool:
    """Return whether the name of a key says that its value is a secret."""
    return bool(_IS_KEYED.fullmatch(key))


def redact_line(line: str) -> str:
    """Return a line of YAML without secrets, known by their form or by the name of their key."""
    return _KEY_AND_VALUE.sub(rf"\1\2{REDACTED}", redact_secrets(line))


def _looks_random(word: str) -> bool:
    kinds = [_char_kind(char) for char in word if char.isalnum()]
    if len(set(kinds)) < 3 or len(word) - len(kinds) > len(word) / _MARKS:
        return False
    switches = sum(first != then and (first, then) != ("upper", "lower") for first, then in pairwise(kinds))
    return switches >= _SWITCHES * (len(kinds) - 1)


def _char_kind(char: str) -> str:
    return "digit" if char.isdigit() else "upper" if char.isupper() else "lower"

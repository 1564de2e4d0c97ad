"""What looks like a secret, and text with it blotted out: a fault's own words must not carry a key into a log.

Two ways to tell: the forms that issuers give their keys, and long words that nobody would write by hand. A miss is possible
(plain hexadecimal is left alone, because commits and checksums are), so this is the last guard, not the first.
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
    r"|hooks\.slack\.com/(?:services|workflows)/\S+|discord(?:app)?\.com/api/webhooks/\S+|webhook\.office\.com/\S+"
    r"|A(?:KIA|SIA)[0-9A-Z]{16}|[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|sk-[0-9A-Za-z_-]{32,}|npm_[0-9A-Za-z]{36}"
    r"|(?i:(?<=bearer ))[0-9A-Za-z._~+/=-]{16,}"  # what an HTTP header signs in with
    r"|(?i:(?<=x-goog-signature=)|(?<=x-goog-credential=)|(?<=access_token=))[^&\s\"']{8,}"  # signed addresses
    r"|eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}(?:\.[0-9A-Za-z_-]*)?"  # JSON web token
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # the user:password of an address
    r"|(?<=[?&]password=)[^&\s\"']+|(?<=[?&]sslpassword=)[^&\s\"']+"  # the same among its parameters
    r"|[?&][^=&\s\"']*%[^=&\s\"']*=[^&\s\"']+"  # a parameter whose name is hidden: nobody has a reason to
)
_WORD = re.compile(r"[0-9A-Za-z+/_=-]{24,}")
# Measured on 18 to 48 random bytes in base64: 90 to 99 % are told; of 86,000 words from Python sources 6, of 60,000 paths none.
_SWITCHES = (
    0.28  # of all neighbours, how many change between digits, lower case and upper case (a capital may begin a word)
)
_MARKS = 8  # a random word has no more than one in so many of + / _ = -


def looks_secret(text: str) -> bool:
    """Return whether a text has the form of a known key, or holds a long random-looking word."""
    return bool(_FORMS.search(text)) or any(_looks_random(match[0]) for match in _WORD.finditer(text))


def redact_secrets(text: str) -> str:
    """Return a text with everything that looks like a secret replaced by a word that says so."""
    text = _FORMS.sub(REDACTED, text)
    return _WORD.sub(lambda match: REDACTED if _looks_random(match[0]) else match[0], text)


def _looks_random(word: str) -> bool:
    kinds = [_char_kind(char) for char in word if char.isalnum()]
    if len(set(kinds)) < 3 or len(word) - len(kinds) > len(word) / _MARKS:
        return False
    switches = sum(first != then and (first, then) != ("upper", "lower") for first, then in pairwise(kinds))
    return switches >= _SWITCHES * (len(kinds) - 1)


def _char_kind(char: str) -> str:
    return "digit" if char.isdigit() else "upper" if char.isupper() else "lower"

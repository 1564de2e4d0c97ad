"""Says what a rollback by a person means, in sentences: for its preview."""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.state.ledger import Ledger


def rollback_sentences(
    name: str, serves: str, takes_over: str, ledger: Ledger, traffic: Mapping[str, int]
) -> tuple[str, ...]:
    """Return what follows from a rollback of what serves now to the version that takes over, by a complete ledger."""
    sentences = [f"{serves} goes into quarantine: it is not promoted again until spec, data or code change"]
    if takes_over in (ledger.served_in_part or ()):
        sentences.insert(0, f"{takes_over} never served everything: another version replaced it in its rollout")
    if ledger.rollout:
        shares = ", ".join(f"{version} {share} %" for version, share in traffic.items())
        sentences.append(f"the rollout that is under way ends ({shares})")
    if ledger.hold:
        sentences.append(f"the hold of release {ledger.hold.release} by {ledger.hold.by} is replaced")
    sentences += [
        "the newest forecast is made again, by the version that takes over",
        f"the release is held until `mlspec resume {name}` or another spec: nothing newer takes over meanwhile",
    ]
    return tuple(sentences)

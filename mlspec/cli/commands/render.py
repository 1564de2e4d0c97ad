"""`mlspec render`: writes the Terraform and the DAGs of specs. The same input gives the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import click

from mlspec.cli import options
from mlspec.cli.messages import report
from mlspec.cli.output_file import refuse_linked_output
from mlspec.cli.project import find_root, is_folder, open_specs
from mlspec.engine.rendering import render_specs
from mlspec.engine.target_kinds import find_target
from mlspec.errors import StateError, UsageError
from mlspec.plain_files import open_new_file, refuse_links
from mlspec.render import manifest


@click.command(short_help="Write the Terraform and the DAGs of specs.")
@options.paths
@options.target
@click.option(
    "--out", required=True, metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Folder to write to."
)
def command(paths: tuple[Path, ...], target: str, out: Path) -> None:
    """Write the Terraform and DAGs of specs: terraform/NAME/*.tf and dags/mlspec_NAME.py.

    For a target on Google Cloud both are written, for a local target only the DAG. A file of the same path under the project's
    own templates/ replaces mlspec's. Files of an earlier rendering that are no longer needed are removed; a file that was
    changed by hand is kept, with a warning.
    """
    root = find_root()
    loaded = open_specs(paths, target)
    whole_folder = any(is_folder(path, root) for path in paths)
    configured = find_target(loaded.project, target)
    files = render_specs(loaded.specs, configured, root, with_shared=whole_folder)
    _write_folder(out, files, target, whole_folder=whole_folder)
    count = f"{len(files)} file{'s' if len(files) > 1 else ''}"
    click.echo(
        f"{out}: {count} for {len(loaded.specs)} forecast{'s' if len(loaded.specs) > 1 else ''} on target {target}"
    )
    partial_infrastructure = configured.kind.infrastructure is not None and not whole_folder
    if partial_infrastructure and any(spec.forecast.notify for spec in loaded.specs):
        report("topics and secrets that specs share are rendered with the whole folder: mlspec render specs/")


def _write_folder(out: Path, files: Mapping[str, str], target: str, *, whole_folder: bool) -> None:
    """Write these files, each atomically, and remove the files of an earlier rendering that are no longer needed."""
    record = out / manifest.MANIFEST_NAME
    refuse_linked_output(out)
    refuse_links(record, below=out)
    try:
        if out.is_dir() and any(out.iterdir()) and not record.is_file():
            raise UsageError(
                f"'{out}' is not empty, and mlspec did not render into it", hint="name a new folder with --out"
            )
        text = record.read_text(encoding="utf-8") if record.is_file() else ""
        before, folder_target = manifest.from_text(text), manifest.target_of(text)
        if folder_target not in (None, target):
            raise UsageError(
                f"'{out}' holds target '{folder_target}'", hint=f"render target '{target}' into another folder"
            )
        for path in manifest.stale_files(before, files, whole_folder):
            _remove_file(out, path, before.pop(path))
        for path, text in files.items():
            _write_file(out, path, text)
        kept_entries = {} if whole_folder else before
        _write_file(
            out, manifest.MANIFEST_NAME, manifest.to_text({**kept_entries, **manifest.file_digests(files)}, target)
        )
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"cannot write to '{out}': {error}", hint="choose another --out") from error


def _write_file(out: Path, path: str, text: str) -> None:
    """Write one file, which Airflow and builds may read as other users: it holds no data and no secret."""
    file = out / path
    refuse_links(file, below=out)
    if file.is_file() and file.read_bytes() == text.encode():
        return  # the file's time stays, so that file watchers see only real changes
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    with open_new_file(part, 0o666) as stream:  # less the umask
        stream.write(text.encode())
    part.replace(file)


def _remove_file(out: Path, path: str, digest: str) -> None:
    file = out / path
    refuse_links(file, below=out)
    if not file.is_file():
        return
    if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
        report(f"{file}: no spec needs it any more; it was changed by hand, so it is kept", "WARNING")
        return
    file.unlink()
    if not any(file.parent.iterdir()):
        file.parent.rmdir()

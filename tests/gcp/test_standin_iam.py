"""The stand-in for Google's servers evaluates IAM: who may do what, where, on which condition, and how a call is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions as google

from tests.gcp import platform
from tests.gcp.standin.harness import Running

ANA = "ana@acme-test.iam.gserviceaccount.com"
MEMBER = f"serviceAccount:{ANA}"
VIEWER, CREATOR, USER = "roles/storage.objectViewer", "roles/storage.objectCreator", "roles/storage.objectUser"


@pytest.fixture
def bucket(standin: Running, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of the owner's, with an object in each of two folders. The client asks for no bucket's metadata besides."""
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    made = platform.storage(standin.project).create_bucket("bkt")
    for name in ("mine/a", "theirs/a"):
        made.blob(name).upload_from_string(b"1")
    return "bkt"


def read(standin: Running, name: str) -> bytes:
    with standin.acting_as(ANA):
        return bytes(platform.storage(standin.project).bucket("bkt").blob(name).download_as_bytes(retry=None))


def write(standin: Running, name: str, **how: Any) -> None:
    with standin.acting_as(ANA):
        platform.storage(standin.project).bucket("bkt").blob(name).upload_from_string(b"2", retry=None, **how)


def names(standin: Running, prefix: str) -> list[str]:
    with standin.acting_as(ANA):
        return [each.name for each in platform.storage(standin.project).list_blobs("bkt", prefix=prefix, retry=None)]


def test_whoever_was_granted_nothing_is_refused_in_googles_words(standin: Running, bucket: str) -> None:
    with pytest.raises(
        google.Forbidden, match=r"does not have storage\.objects\.get access .* \(or it may not exist\)"
    ):
        read(standin, "mine/a")
    assert standin.denied() == [f"{ANA} lacks storage.objects.get on projects/_/buckets/bkt/objects/mine/a"]


@pytest.mark.parametrize("place", ["projects/acme-test", "buckets/bkt", "buckets/bkt/managedFolders/mine/"])
def test_a_grant_holds_for_all_below_it(standin: Running, bucket: str, place: str) -> None:
    standin.grant(place, VIEWER, MEMBER)
    assert read(standin, "mine/a") == b"1"
    assert names(standin, "mine/") == ["mine/a"]
    (grant,) = standin.grants()
    assert grant["allowed"] == ["storage.objects.get", "storage.objects.list"]


def test_a_folders_grant_ends_at_the_folder(standin: Running, bucket: str) -> None:
    standin.grant("buckets/bkt/managedFolders/mine/", VIEWER, MEMBER)
    for call in (lambda: read(standin, "theirs/a"), lambda: names(standin, ""), lambda: names(standin, "min")):
        with pytest.raises(google.Forbidden):
            call()


def test_a_grant_that_was_taken_away_allows_nothing(standin: Running, bucket: str) -> None:
    standin.grant("buckets/bkt", VIEWER, MEMBER)
    standin.revoke("buckets/bkt", VIEWER, MEMBER)
    with pytest.raises(google.Forbidden):
        read(standin, "mine/a")


def test_a_condition_bounds_a_grant(standin: Running, bucket: str) -> None:
    standin.grant("buckets/bkt", USER, MEMBER, '!resource.name.startsWith("projects/_/buckets/bkt/objects/theirs/")')
    write(standin, "mine/a")
    with pytest.raises(google.Forbidden):
        write(standin, "theirs/a")
    assert names(standin, "") == ["mine/a", "theirs/a"]  # a listing is of the bucket, whatever lies in it


def test_writing_over_an_object_takes_its_removal_too(standin: Running, bucket: str) -> None:
    standin.grant("buckets/bkt", CREATOR, MEMBER)
    write(standin, "mine/new")
    with pytest.raises(google.Forbidden, match=r"storage\.objects\.delete"):
        write(standin, "mine/a")
    with pytest.raises(google.PreconditionFailed):
        write(standin, "mine/a", if_generation_match=0)


def test_whoever_may_not_list_is_not_told_that_nothing_is_there(standin: Running, bucket: str) -> None:
    standin.define_role("projects/acme-test/roles/reader", ["storage.objects.get"])
    standin.grant("buckets/bkt", "projects/acme-test/roles/reader", MEMBER)
    with pytest.raises(google.Forbidden, match=r"storage\.objects\.list"):
        read(standin, "mine/none")
    standin.grant("buckets/bkt", VIEWER, MEMBER)
    with pytest.raises(google.NotFound):
        read(standin, "mine/none")


def run_job(standin: Running, **how: Any) -> None:
    from google.cloud import run_v2

    name = f"{platform.place(standin.project)}/jobs/mlspec-reconcile"
    run_v2.JobsClient().run_job(request={"name": name, **how}, retry=None).result()


def test_a_job_is_run_with_other_words_by_a_permission_of_its_own(standin: Running) -> None:
    platform.loop(standin.project)
    job = f"{platform.place(standin.project)}/jobs/mlspec-reconcile"
    overrides = {"container_overrides": [{"args": ["x"]}]}
    standin.grant(job, "roles/run.invoker", MEMBER)
    standin.grant(f"projects/{standin.project}", "roles/run.viewer", MEMBER)
    with standin.acting_as(ANA):
        run_job(standin)
        with pytest.raises(
            google.PermissionDenied, match=r"'run\.jobs\.runWithOverrides' denied on resource '.*mlspec-reconcile'"
        ):
            run_job(standin, overrides=overrides)
        standin.grant(job, "roles/run.jobsExecutorWithOverrides", MEMBER)
        run_job(standin, overrides=overrides)


def test_an_operation_is_asked_for_by_whoever_may_see_what_it_works_on(standin: Running) -> None:
    platform.loop(standin.project)
    standin.grant(f"{platform.place(standin.project)}/jobs/mlspec-reconcile", "roles/run.invoker", MEMBER)
    with standin.acting_as(ANA), pytest.raises(google.PermissionDenied, match=r"run\.operations\.get"):
        run_job(standin)


def test_a_container_runs_under_its_jobs_account(standin: Running) -> None:
    from google.cloud import run_v2

    job = {"template": {"template": {"containers": [{"image": "i"}], "max_retries": 0, "service_account": ANA}}}
    run_v2.JobsClient().create_job(parent=platform.place(standin.project), job=job, job_id="mlspec-reconcile").result()
    standin.hook("i", ["sh", "-c", "echo $GOOGLE_APPLICATION_CREDENTIALS"])
    run_job(standin)
    assert standin.outputs()[0].splitlines()[-1] == standin.account(ANA)


def test_whoever_names_an_account_must_be_allowed_to_act_as_it(standin: Running) -> None:
    from google.cloud import run_v2

    train = "t@acme-test.iam.gserviceaccount.com"
    job = {"template": {"template": {"containers": [{"image": "i"}], "service_account": train}}}
    standin.define_role("projects/acme-test/roles/maker", ["run.jobs.create", "run.operations.get"])
    standin.grant("projects/acme-test", "projects/acme-test/roles/maker", MEMBER)
    made = {"parent": platform.place(standin.project), "job": job, "job_id": "j"}
    with standin.acting_as(ANA):
        with pytest.raises(
            google.PermissionDenied, match=r"'iam\.serviceAccounts\.actAs' denied on resource '.*/t@acme"
        ):
            run_v2.JobsClient().create_job(**made)
        standin.grant(f"projects/acme-test/serviceAccounts/{train}", "roles/iam.serviceAccountUser", MEMBER)
        run_v2.JobsClient().create_job(**made).result()


@pytest.fixture
def sales(standin: Running) -> str:
    """A table of the owner's, with a row."""
    client = platform.bigquery(standin.project)
    client.create_dataset("acme-test.shop")
    client.query("CREATE TABLE `acme-test.shop.sales` AS SELECT 1 AS units").result()
    return "acme-test.shop.sales"


def asked(standin: Running, call: Callable[[Any], Any]) -> Any:
    with standin.acting_as(ANA):
        return call(platform.bigquery(standin.project))


def test_a_query_asks_for_the_right_to_run_it_and_for_each_table_that_it_reads(standin: Running, sales: str) -> None:
    query = f"WITH day AS (SELECT * FROM `{sales}`) SELECT SUM(units) AS n FROM day"

    def rows(client: Any) -> list[int]:
        return [row["n"] for row in client.query(query, retry=None, job_retry=None).result(retry=None)]

    with pytest.raises(google.Forbidden, match=r"bigquery\.jobs\.create denied on project acme-test"):
        asked(standin, rows)
    standin.grant("projects/acme-test", "roles/bigquery.jobUser", MEMBER)
    with pytest.raises(google.Forbidden, match=r"bigquery\.tables\.getData denied on table acme-test:shop\.sales"):
        asked(standin, rows)
    standin.grant("projects/acme-test/datasets/shop/tables/sales", "roles/bigquery.dataViewer", MEMBER)
    assert asked(standin, rows) == [1]


def test_a_role_that_is_not_written_down_is_refused_to_the_test(standin: Running) -> None:
    with pytest.raises(ValueError, match=r"does not know what roles/storage\.admin allows"):
        standin.grant("projects/acme-test", "roles/storage.admin", MEMBER)


def test_what_an_account_may_is_told_as_it_is(standin: Running, bucket: str) -> None:
    standin.grant("buckets/bkt", VIEWER, MEMBER)
    with standin.acting_as(ANA):
        found = (
            platform.storage(standin.project)
            .bucket("bkt")
            .test_iam_permissions(["storage.objects.get", "storage.objects.create"])
        )
    assert found == ["storage.objects.get"]

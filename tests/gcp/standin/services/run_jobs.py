"""Cloud Run's jobs: each execution runs the program that a test named for the image, as often as the job has tasks and retries.

An execution moves when somebody looks: at it, at the list, or at the operation that RunJob answered with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.cloud.run_v2.types import Condition, Execution, Task

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.commands import Run
from tests.gcp.standin.refused import invalid, precondition
from tests.gcp.standin.rpcs import Rpc
from tests.gcp.standin.services.run_logs import tell, why

RETRIES = 3  # what Cloud Run does where the job does not say


@dataclass
class _Task:
    runs: list[Run] = field(default_factory=list)
    cancelled: bool = False
    late: bool = False


class Executions:
    """The executions of one cloud, and the programs behind them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._tasks: dict[str, list[_Task]] = {}

    def start(self, job: Any, overrides: Any) -> Any:
        """Return a new execution of a job, its programs started."""
        template = job.template.template
        found = Execution.pb()(name=f"{job.name}/executions/{job.name.rpartition('/')[2]}-{self._cloud.next_id()}")
        found.job, found.uid = job.name, self._cloud.next_id()
        found.template.CopyFrom(template)
        found.task_count = overrides.task_count or job.template.task_count or 1
        found.parallelism = job.template.parallelism
        _override(found.template.containers[0], overrides.container_overrides)
        self._cloud.stamp(found, created=True)
        found.start_time.CopyFrom(found.create_time)
        found.running_count = found.task_count
        self._cloud.resources[found.name] = found
        self._tasks[found.name] = [_Task() for _ in range(found.task_count)]
        for index in range(found.task_count):
            self._attempt(found, index)
        return found

    def _attempt(self, execution: Any, index: int) -> None:
        task, container = self._tasks[execution.name][index], execution.template.containers[0]
        told = {
            "CLOUD_RUN_JOB": execution.job.rpartition("/")[2], "CLOUD_RUN_EXECUTION": execution.name.rpartition("/")[2],
            "CLOUD_RUN_TASK_INDEX": str(index), "CLOUD_RUN_TASK_COUNT": str(execution.task_count),
            "CLOUD_RUN_TASK_ATTEMPT": str(len(task.runs)),
        }  # fmt: skip
        env = {each.name: each.value for each in container.env}
        task.runs.append(
            self._cloud.commands.start(
                container.image, container.args, {**env, **told}, execution.template.service_account
            )
        )

    def look(self, execution: Any) -> Any:
        """Return an execution as it stands now; a task that failed is tried again where it may be."""
        if execution.HasField("completion_time"):
            return execution
        given = execution.template
        retries = given.max_retries if given.WhichOneof("retries") else RETRIES
        tasks, ended = self._tasks[execution.name], list[_Task]()
        for index, task in enumerate(tasks):
            last = task.runs[-1]
            self._late(execution, task)
            if not last.done:  # asked once: a program that ends later is seen to have ended by the next look
                continue
            if not last.told:
                last.told = True
                tell(self._cloud, execution, last, late=task.late)
            if not last.succeeded and not task.cancelled and len(task.runs) <= retries:
                self._attempt(execution, index)
            else:
                ended.append(task)
        self._count(execution, tasks, ended)
        if not execution.running_count:
            self._complete(execution)
        return execution

    def _late(self, execution: Any, task: _Task) -> None:
        allowed = execution.template.timeout.ToSeconds()
        age = self._cloud.timestamp().ToNanoseconds() - execution.start_time.ToNanoseconds()
        if allowed and age >= allowed * 10**9 and not task.runs[-1].done:
            task.late = True
            task.runs[-1].kill()

    @staticmethod
    def _count(execution: Any, tasks: list[_Task], ended: list[_Task]) -> None:
        execution.running_count = len(tasks) - len(ended)
        execution.cancelled_count = sum(task.cancelled for task in ended)
        execution.succeeded_count = sum(task.runs[-1].succeeded for task in ended if not task.cancelled)
        execution.failed_count = len(ended) - execution.cancelled_count - execution.succeeded_count
        execution.retried_count = sum(len(task.runs) - 1 for task in tasks)

    def _complete(self, execution: Any) -> None:
        execution.completion_time.CopyFrom(self._cloud.timestamp())
        well = execution.succeeded_count == execution.task_count
        state = Condition.State.CONDITION_SUCCEEDED if well else Condition.State.CONDITION_FAILED
        condition = Condition.pb()(type_="Completed", state=state)
        if execution.failed_count:
            task = f"{execution.name.rpartition('/')[2]}-task0"
            condition.message = f"Task {task} failed with message: {self._why(execution)}"
            condition.execution_reason = Condition.ExecutionReason.NON_ZERO_EXIT_CODE
        elif execution.cancelled_count:
            condition.execution_reason = Condition.ExecutionReason.CANCELLED
        execution.conditions.append(condition)
        self._cloud.stamp(execution)

    def _why(self, execution: Any) -> str:
        failed = next(each for each in self._tasks[execution.name] if not each.runs[-1].succeeded)
        return why(failed.runs[-1], late=failed.late)

    def tasks(self, execution: Any) -> list[Any]:
        """Return an execution's tasks, each with the exit code of its last attempt."""
        found = []
        for index, task in enumerate(self._tasks[self.look(execution).name]):
            said = Task.pb()(
                name=f"{execution.name}/tasks/{execution.name.rpartition('/')[2]}-task{index}", index=index
            )
            if task.runs[-1].done:
                said.last_attempt_result.exit_code = task.runs[-1].exit_code
            found.append(said)
        return found

    def get_execution(self, rpc: Rpc, request: Any) -> Any:
        """Return an execution."""
        return self.look(self._cloud.get(request.name))

    def list_executions(self, rpc: Rpc, request: Any) -> Any:
        """Return a job's executions, the newest first."""
        found = [self.look(each) for each in self._cloud.below(request.parent, "executions")]
        found.sort(key=lambda each: each.create_time.ToNanoseconds())  # of all jobs, if the parent is `jobs/-`
        return standard.page(rpc, request, reversed(found))

    def cancel_execution(self, rpc: Rpc, request: Any) -> Any:
        """End an execution's programs."""
        execution = self._cloud.get(request.name)
        if execution.HasField("completion_time"):
            raise precondition(f"{request.name} has completed.")
        for task in self._tasks[execution.name]:
            if not task.runs[-1].done:
                task.cancelled = True
                task.runs[-1].kill()
        return self._cloud.operations.start(execution.job, lambda: self.look(execution), metadata=execution)


class Tasks:
    """The tasks of one cloud's executions."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def list_tasks(self, rpc: Rpc, request: Any) -> Any:
        """Return an execution's tasks."""
        executions: Executions = self._cloud.service(Executions)
        return standard.page(rpc, request, executions.tasks(self._cloud.get(request.parent)))


class RunJobs:
    """The jobs of one cloud; they are kept among its resources."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def create_job(self, rpc: Rpc, request: Any) -> Any:
        """Make a job of one container."""
        containers = request.job.template.template.containers
        if len(containers) != 1 or not containers[0].image:
            raise invalid("the stand-in runs jobs of one container with an image")
        if not request.job_id:
            raise invalid("job_id is required.")
        return standard.create(self._cloud, rpc, request)

    def delete_job(self, rpc: Rpc, request: Any) -> Any:
        """Remove a job with its executions; the operation ends with what the job was."""
        job = self._cloud.get(request.name)

        def land() -> Any:
            for name in [name for name in self._cloud.resources if name.startswith(f"{job.name}/")]:
                del self._cloud.resources[name]
            return self._cloud.resources.pop(job.name)

        return self._cloud.operations.start(job.name.rpartition("/jobs/")[0], land)

    def run_job(self, rpc: Rpc, request: Any) -> Any:
        """Start an execution. The operation is done when the execution is, well or not: its counts say which."""
        job = self._cloud.get(request.name)
        if request.etag not in {"", job.etag}:
            raise precondition(f"{request.name} has changed since: its etag is another.")
        executions: Executions = self._cloud.service(Executions)
        execution = executions.start(job, request.overrides)
        job.execution_count += 1
        job.latest_created_execution.name = execution.name
        job.latest_created_execution.create_time.CopyFrom(execution.create_time)
        return self._cloud.operations.start(
            job.name.rpartition("/jobs/")[0], lambda: execution, metadata=execution,
            ready=lambda: executions.look(execution).HasField("completion_time"),
        )  # fmt: skip


def _override(container: Any, overrides: Any) -> None:
    for each in overrides:
        if each.name not in {"", container.name}:
            raise invalid(f"The job has no container {each.name!r}.")
        if each.clear_args or each.args:
            del container.args[:]
            container.args.extend(each.args)
        names = {one.name for one in each.env}
        kept = [one for one in container.env if one.name not in names]
        del container.env[:]
        container.env.extend([*kept, *each.env])

"""The command of a run at level `none`, written into its directory."""

from __future__ import annotations

from pathlib import Path

from scheduler_service.sandbox.contract.command import interpreter_of
from scheduler_service.sandbox.contract.spec import Program, PythonCode, Spec
from scheduler_service.sandbox.runtime.job_directory import make_places, write_file, write_files


def write_command(spec: Spec, python: str, directory: Path) -> list[str]:
    """Write what a run begins with into its directory, and return the argument vector of its command."""
    write_files(spec.files, str(directory))
    if spec.collects:
        make_places(str(directory))
    command = spec.command
    if isinstance(command, Program):
        return list(command.argv)
    if isinstance(command, PythonCode):
        write_file(str(directory / "job.py"), command.code.encode())
        return [python, "-u", "job.py"]
    script = directory / "job"
    write_file(str(script), command.text.encode(), 0o755)  # scripts start themselves again, under flock(1) for one
    return [*interpreter_of(command.text), str(script)]

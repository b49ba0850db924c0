"""The scripts of docs/cluster.md say what they should, as far as that shows without a cluster."""

import re
import subprocess
from pathlib import Path

import yaml

from colorizer.cli.coloring import _colorize_parser
from tests.systems import needs_posix

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cluster.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_kubernetes_job_tells_its_shares():
    (manifest,) = blocks("yaml")
    job = yaml.safe_load(manifest)["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert job["completionMode"] == "Indexed"
    told = {variable["name"]: variable["value"] for variable in container["env"]}
    assert told == {"JOB_COMPLETIONS": str(job["completions"])}
    assert container["command"][:2] == ["colorizer", "colorize"]
    assert _colorize_parser().parse_args(container["command"][2:]).output


@needs_posix("bash")
def test_the_commands_are_known():
    commands = []
    for script in blocks("bash"):
        assert not subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode
        joined = script.replace("\\\n", " ").replace(" ... ", " s3://b/in -o s3://b/out ")
        commands += re.findall(r"colorizer colorize (.*)", joined)
    assert len(commands) == 5
    for command in commands:
        args = _colorize_parser().parse_args(command.split())
        assert args.output.startswith("s3://")

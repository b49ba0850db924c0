"""Each name falls to one share, whoever tells which share is ours."""

import pytest

from colorizer.errors import UsageError
from colorizer.support.shares import falls_to, share_of


def array(task: int, least: int, count: int, step: int = 1) -> dict[str, str]:
    return {
        "SLURM_ARRAY_TASK_ID": str(task),
        "SLURM_ARRAY_TASK_MIN": str(least),
        "SLURM_ARRAY_TASK_MAX": str(least + (count - 1) * step),
        "SLURM_ARRAY_TASK_COUNT": str(count),
        "SLURM_ARRAY_TASK_STEP": str(step),
    }


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (1, 1)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (1, 1)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, (3, 4)),
        ({"RANK": "2"}, (1, 1)),  # of something else
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, (6, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_STEP_ID": "0"}, (1, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (1, 1)),  # a batch script without srun
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_STEP_ID": "4294967291"}, (1, 1)),
        (array(2, 1, 3) | {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, (2, 3)),
        (array(0, 0, 8), (1, 8)),
        (array(1, 1, 8), (1, 8)),
        (array(8, 1, 8), (8, 8)),
        (array(30, 10, 3, step=10), (3, 3)),
        (array(2, 1, 3) | {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, (8, 12)),
        (array(2, 1, 3) | {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, (2, 3)),
        ({"JOB_COMPLETION_INDEX": "0", "JOB_COMPLETIONS": "3"}, (1, 3)),
        ({"RANK": "1", "WORLD_SIZE": "2", "JOB_COMPLETION_INDEX": "0"}, (2, 2)),  # PyTorchJob
    ],
)
def test_who_started_us_tells_the_share(environment, expected):
    assert share_of(None, environment) == expected
    assert share_of("2/3", environment) == (2, 3)  # what is said counts


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/", "a/b", "-1/2", "1/0", "1/1000000000"])
def test_shares_that_there_are_not(part):
    with pytest.raises(UsageError, match=r"accepted is i/n with i from 1 to n"):
        share_of(part, {})


def test_an_environment_that_does_not_tell_all():
    with pytest.raises(UsageError, match="set JOB_COMPLETIONS in the manifest"):
        share_of(None, {"JOB_COMPLETION_INDEX": "3"})
    with pytest.raises(UsageError, match="make this share 5 of 2, which there is not"):
        share_of(None, array(5, 1, 2))  # --array=1,5
    with pytest.raises(UsageError, match="RANK and WORLD_SIZE make this share 4 of 3"):
        share_of(None, {"RANK": "3", "WORLD_SIZE": "3"})


@pytest.mark.parametrize("count", [1, 2, 7])
def test_each_name_falls_to_one_share(count):
    names = [f"folder/{i}.jpg" for i in range(500)] + ["\udcff.jpg"]
    for name in names:
        assert sum(falls_to(name, (own, count)) for own in range(1, count + 1)) == 1
    sizes = [sum(falls_to(n, (own, count)) for n in names) for own in range(1, count + 1)]
    assert max(sizes) - min(sizes) < 60


@pytest.mark.parametrize("step", [1, 2, 5, 10, 100])
def test_numbered_names_are_spread_evenly(step):
    names = [f"shards/a_{i * step:06d}.tar" for i in range(64)]
    sizes = [sum(falls_to(name, (own, 16)) for name in names) for own in range(1, 17)]
    assert sum(sizes) == 64
    assert min(sizes) >= (3 if step == 1 else 1)
    assert max(sizes) <= (5 if step == 1 else 7)

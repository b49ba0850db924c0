"""The table of runs."""

import csv
import io

import yaml

from colorizer.cli import main


def test_runs_are_told_by_what_differs_and_how_they_ended(tmp_path, capsys):
    for name, rate, losses in (("a", 0.1, (3, 2)), ("b", 0.2, (2.5, 1.0, 1.5)), ("c", 0.3, ())):
        run = tmp_path / name
        run.mkdir()
        plain = {"optimizer": {"learning_rate": rate, "name": "adamw"}, "trainer": {"name": name}}
        (run / "settings.yaml").write_text(yaml.safe_dump(plain))
        if losses:
            lines = [f"{i},{loss}" for i, loss in enumerate(losses, 1)]
            (run / "metrics.csv").write_text("\n".join(["epoch,val/loss", *lines]) + "\n")
    assert main(["runs", str(tmp_path), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["run"] for row in rows] == ["b", "a", "c"]
    assert [row["optimizer.learning_rate"] for row in rows] == ["0.2", "0.1", "0.3"]
    assert rows[0]["best val/loss"] == "1"
    assert "optimizer.name" not in rows[0]
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("run  optimizer.learning_rate")
    assert main(["runs", str(tmp_path), "--sort", "nothing"]) == 2
    assert main(["runs", str(tmp_path / "a")]) == 2

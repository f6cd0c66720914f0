import json
from pathlib import Path

import pytest

from classifiers.evidence import Figures
from classifiers.fit import FitReport
from eval.bench import detector_speed


def test_what_is_measured_is_written_at_once(tmp_path, monkeypatch):
    figures = Figures(0.01, 9, 9, 9.0, 0.1, 0.3, 9, 0.0, 0.0, 0.3, 9, 1.0, 0.7, 1.0, 0.1)
    (tmp_path / "artifact").mkdir()

    def measure(topics: int, folder: Path):
        if topics == 2:
            raise MemoryError
        speed = detector_speed.Speed(topics, 20, "onnx", 1.0, 2.0, 3.0, 4.0, 3.0)
        return FitReport(tmp_path / "artifact", topics, 5, 1.0, figures), [speed], 100.0

    monkeypatch.setattr(detector_speed, "measure", measure)
    out = tmp_path / "speed.json"
    with pytest.raises(MemoryError):
        detector_speed.main(topics="1,2", out=out)
    (row,) = json.loads(out.read_text())["speeds"]
    assert (row["topics"], row["median"], row["fit_seconds"]) == (1, 1.0, 1.0)
    detector_speed.main(topics="1,3", out=out)
    assert [row["topics"] for row in json.loads(out.read_text())["speeds"]] == [1, 3]


def test_progress_is_told_before_the_clock_runs(capsys):
    class Silent:
        def detect(self, conversation):
            return ()

        def forget(self):
            pass

    detector_speed.compare(Silent(), Silent(), "onnx", 4)
    told = capsys.readouterr().err.splitlines()
    assert told == ["4 topics: asking 60 prompts of 20 words", "4 topics: asking 12 prompts of 2000 words"]

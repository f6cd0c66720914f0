"""The archive: a fictional world with exact ground truth, drawn from a seed.

About 150 linked people with twelve facts each, the questions asked about them, and the splits by person that say who is
to be forgotten. Nothing here is real but the plain world facts.
"""

from eval.world.archive import DRAWS, World, build
from eval.world.questions import Question, archive_questions

__all__ = ["DRAWS", "Question", "World", "archive_questions", "build"]

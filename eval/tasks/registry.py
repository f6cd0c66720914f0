"""All tasks by name."""

from __future__ import annotations

from eval.tasks.archive import ARCHIVE
from eval.tasks.archive_books import ARCHIVE_BOOKS
from eval.tasks.archive_choice import ARCHIVE_CHOICE
from eval.tasks.archive_hops import ARCHIVE_HOPS
from eval.tasks.archive_mixed import ARCHIVE_MIXED
from eval.tasks.biology import BIOLOGY
from eval.tasks.mmlu import MMLU
from eval.tasks.muse import muse
from eval.tasks.rwku import RWKU
from eval.tasks.task import Task
from eval.tasks.tofu import tofu
from eval.tasks.wmdp import WMDP

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        ARCHIVE,
        ARCHIVE_HOPS,
        ARCHIVE_MIXED,
        ARCHIVE_BOOKS,
        ARCHIVE_CHOICE,
        BIOLOGY,
        tofu("01"),
        tofu("05"),
        tofu("10"),
        RWKU,
        muse("News"),
        muse("Books"),
        WMDP,
        MMLU,
    )
}

"""The comparison on the terminal: the main table in parts, the worst attacks, the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from eval.compare.cells import Cell
from eval.compare.results import Results
from eval.compare.tables import Row, Table, main_table, worst_table

# The columns that stand side by side; all of them are wider than any terminal.
_PARTS = {"Forgetting": slice(0, 4), "Utility": slice(4, 8), "Attacks, flags and price": slice(8, None)}


def show(results: Results, console: Console) -> None:
    """Print the tables, the reasons for dashes, and the verdict."""
    main, worst = main_table(results), worst_table(results)
    for title, part in _PARTS.items():
        rows = tuple(Row(row.name, row.kind, row.what, row.cells[part]) for row in main.rows)
        console.print(_drawn(Table(title, main.columns[part], rows)))
    console.print(_drawn(worst))
    cells = [cell for table in (main, worst) for row in table.rows for cell in row.cells]
    for why in dict.fromkeys(cell.why for cell in cells if cell.why):
        _say(console, f"Unscored or left out: {why}.")
    for sentence in results.verdict:
        _say(console, sentence)


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(title=table.title, title_justify="left")
    drawn.add_column("system", overflow="fold")
    for column in table.columns:
        drawn.add_column(Text(column), justify="right", overflow="fold")
    kind = ""
    for row in table.rows:
        if kind not in ("", row.kind):
            drawn.add_section()
        kind = row.kind
        drawn.add_row(Text(row.name), *map(_text, row.cells))
    return drawn


def _text(cell: Cell) -> Text:
    # Text, not markup: an interval's brackets and a system's name are to be read as they are.
    return Text(cell.value + (f"\n{cell.span}" if cell.span else ""))


def _say(console: Console, sentence: str) -> None:
    console.print(Text(sentence), soft_wrap=True)

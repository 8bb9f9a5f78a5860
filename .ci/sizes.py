"""Print the longest files and functions, and fail beyond the budget: size is a budget."""

import ast
import sys
from pathlib import Path

FILE, FUNCTION = 450, 80

root = Path(__file__).parent.parent
files = []
functions = []
for path in [*(root / "src").rglob("*.py"), *(root / "tests").rglob("*.py")]:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(root)
    files.append((text.count("\n"), str(name)))
    for node in ast.walk(ast.parse(text)):
        # a verb of the command line is as long as its options, of three lines each
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "cli" not in name.parts:
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            functions.append((lines, f"{name}:{node.lineno} {node.name}"))

for what, rows in (("files", files), ("functions", functions)):
    print(f"longest {what}: " + "; ".join(f"{n} {name}" for n, name in sorted(rows)[-3:]))
long = [f"{n} {name}" for n, name in files if n > FILE]
long += [f"{n} {name}" for n, name in functions if n > FUNCTION]
if long:
    sys.exit(f"over {FILE} lines a file or {FUNCTION} a function: " + "; ".join(long))

"""Make the picture of the README: its first cell as JupyterLab shows it, light and dark.

`make pictures` runs it. It executes the cell exactly as printed, lays cell and result out as a page
with the colours of JupyterLab's themes, and has chromium take the picture; set CHROMIUM if it has
another name. The fonts are those of the machine.
"""  # noqa: INP001 - a script beside the pictures, no package

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String

HERE = Path(__file__).resolve().parent
README = HERE.parents[1] / "README.md"
WIDTH = 880  # of the page, in CSS pixels; a screen pixel is half of one
CLASSES = {
    Comment: "comment", Keyword: "keyword", Operator.Word: "keyword", Name.Decorator: "meta",
    Name.Function: "name", Number: "number", Operator: "operator", Punctuation: "mark",
    String: "string",
}  # fmt: skip
THEMES = {
    "light": """--page: #fff; --text: rgba(0, 0, 0, 0.87); --code: #212121; --box: #f5f5f5;
        --line: #e0e0e0; --keyword: #008000; --name: #00f; --property: #05a; --number: #080;
        --operator: #7800c2; --string: #ba2121; --comment: #408080; --meta: #a2f;""",
    "dark": """--page: #111; --text: #fff; --code: #e0e0e0; --box: #212121;
        --line: #616161; --keyword: #4caf50; --name: #1e88e5; --property: #42a5f5;
        --number: #66bb6a; --operator: #d48fff; --string: #ff7070; --comment: #5da3a3;
        --meta: #b366ff;""",
}
PAGE = """<!doctype html><meta charset="utf-8"><style>
:root { THEME --jp-content-font-color1: var(--text); --mono: Menlo, Consolas, "DejaVu Sans Mono",
    monospace; --jp-code-font-family: var(--mono);
    --jp-ui-font-family: Inter, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
body { margin: 0; background: var(--page); }
main { display: grid; grid-template-columns: 40px 1fr; gap: 10px 8px; padding: 10px 14px 12px 0; }
pre, .prompt { margin: 0; font: 13px/17px var(--mono); }
.prompt { padding-top: 9px; text-align: right; color: #307fc1; }
.out { padding-top: 4px; color: #bf5b3d; }
pre { padding: 8px 10px; border: 1px solid var(--line); background: var(--box); }
pre { color: var(--code); } .name { color: var(--name); }
.keyword { color: var(--keyword); font-weight: bold; }
.property, .mark { color: var(--property); } .number { color: var(--number); }
.operator { color: var(--operator); font-weight: bold; } .string { color: var(--string); }
.comment { color: var(--comment); font-style: italic; } .meta { color: var(--meta); }
</style><main><div class="prompt">[1]:</div><pre>CODE</pre><div class="prompt out">[1]:</div>
<div>RESULT</div></main>
<script>document.title = "height " + document.querySelector("main").offsetHeight</script>"""


def first_cell() -> str:
    """Return the first block of Python in the README."""
    return re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[1].strip()


def executed(source: str, folder: str) -> str:
    """Run a cell in a kernel and return the HTML that it shows."""
    cell = nbformat.v4.new_code_cell(source)
    NotebookClient(
        nbformat.v4.new_notebook(cells=[cell]),
        kernel_name="python3",
        timeout=60,
        resources={"metadata": {"path": folder}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    ).execute()
    return cell.outputs[-1]["data"]["text/html"]


def coloured(source: str) -> str:
    """Mark the words of a cell up as JupyterLab does: names after a dot have a colour, too."""
    parts, before = [], ""
    for kind, text in PythonLexer(stripnl=False).get_tokens(source):
        name = next((CLASSES[part] for part in reversed(kind.split()) if part in CLASSES), "")
        name = "property" if before == "." and kind in Name else name
        words = html.escape(text)
        parts.append(f'<span class="{name}">{words}</span>' if name else words)
        before = text
    return "".join(parts).rstrip()


def chromium(page: Path, *options: str) -> str:
    """Open a page without a window and return what chromium prints."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.exit("chromium is needed to take the pictures: apt-get install chromium")
    command = [found, "--headless", "--no-sandbox", "--hide-scrollbars", *options, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def main() -> None:
    """Write a picture for each theme beside this file."""
    source = first_cell()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        code, result = coloured(source), executed(source, folder)
        for theme, colours in THEMES.items():
            styled = PAGE.replace("THEME", colours).replace("CODE", code)
            page.write_text(styled.replace("RESULT", result), "utf-8")
            shown = chromium(page, f"--window-size={WIDTH},2000", "--dump-dom")
            height = re.search(r"<title>height (\d+)", shown)[1]
            picture = f"--screenshot={HERE / f'result-{theme}.png'}"
            size = f"--window-size={WIDTH},{height}"
            chromium(page, picture, size, "--force-device-scale-factor=2")


if __name__ == "__main__":
    main()

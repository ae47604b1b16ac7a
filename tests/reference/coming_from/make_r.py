"""What calls of R on pages of docs/coming_from give: ``python tests/reference/coming_from/make_r.py [page]``.

Needs R with caret, mgcv, neuralnet and nnet. Each page's block of R is run, then the calls of its table one by one; kept
are the first and the last numbers of each, and what it is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGES = ("caret", "mgcv", "neuralnet", "nnet")
RUN = """
suppressMessages(library(jsonlite))
mcycle <- MASS::mcycle; two <- read.csv("two.csv"); sleep <- read.csv("sleep.csv", stringsAsFactors = TRUE)
numbers <- function(v) {
  if (is.factor(v) || is.character(v)) return(numeric())
  if (inherits(v, "data.frame") || (is.list(v) && is.null(attr(v, "class")))) v <- unlist(v)
  if (is.numeric(v)) as.numeric(v) else numeric()
}
set.seed(1); source("setup.R"); found <- list()
for (call in readLines("calls.txt")) {
  invisible(capture.output(value <- suppressWarnings(eval(parse(text = call)))))
  kept <- numbers(value)
  found[[call]] <- list(class = class(value)[1], length = length(kept), numbers = I(head(kept, 8)), last = I(tail(kept, 4)))
}
version <- paste0(R.version.string, ", PAGE ", packageVersion("PAGE"))
write_json(list(version = version, calls = found), "out.json", auto_unbox = TRUE, digits = 12, pretty = TRUE)
"""


def calls(page: str) -> tuple[str, list[str]]:
    """The block of R, and the calls of the middle column."""
    text = (ROOT / "docs" / "coming_from" / f"{page}.md").read_text(encoding="utf-8")
    (setup,) = re.findall(r"(?ms)^```r\n(.*?)^```$", text)
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in text.splitlines() if line.startswith("|")][2:]
    return setup, [call.replace(r"\|", "|") for row in cells for call in re.findall(r"`([^`]+)`", row[1])]


def main() -> None:
    """Write a file for each page."""
    import neuralstat as ns

    for page in sys.argv[1:] or PAGES:
        setup, listed = calls(page)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            ns.datasets.friedman1(n=150, noise=1.0, random_state=1).to_csv(place / "two.csv", index=False)
            ns.datasets.sleepstudy().to_csv(place / "sleep.csv", index=False)
            (place / "setup.R").write_text(setup, encoding="utf-8")
            (place / "calls.txt").write_text("\n".join(listed) + "\n", encoding="utf-8")
            (place / "run.R").write_text(RUN.replace("PAGE", page), encoding="utf-8")
            subprocess.run(["Rscript", "run.R"], cwd=place, check=True)
            found = json.loads((place / "out.json").read_text(encoding="utf-8"))
        (HERE / f"{page}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()

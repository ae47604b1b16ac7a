"""Check calls of R's cito on its page against its source: ``python make_cito.py FOLDER``, that of cito's sources.

cito is not run: its library is not to be had everywhere. Each call of the table, and each call inside it that is cito's, is
matched with the arguments of its function, or of the method for ``dnn``; an argument that there is not is an error. Kept are
the names of arguments.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from make_r import HERE, calls

RUN = """
suppressMessages(library(jsonlite))
arguments <- commandArgs(TRUE); folder <- arguments[1]; home <- new.env()
for (file in list.files(file.path(folder, "R"), full.names = TRUE)) for (part in parse(file, keep.source = FALSE))
  if (is.call(part) && length(part) == 3 && is.name(part[[2]]) && is.call(part[[3]]) && part[[3]][[1]] == "function")
    assign(as.character(part[[2]]), eval(part[[3]], home), home)
known <- readLines(file.path(folder, "NAMESPACE"))
exported <- sub("export\\\\((.*)\\\\)", "\\\\1", grep("^export", known, value = TRUE))
methods <- sub("S3method\\\\((.*),(.*)\\\\)", "\\\\1.\\\\2", grep("^S3method", known, value = TRUE))
found <- list()
look <- function(call, owner = NULL) {
  if (!is.call(call)) return(invisible())
  name <- as.character(call[[1]]); method <- paste0(name, ".citodnn")
  if (name %in% exported || method %in% methods) {
    made <- if (method %in% methods) method else name
    matched <- match.call(get(made, home), call, expand.dots = FALSE)
    if ("..." %in% names(matched) && name != "create_architecture") stop("no such argument: ", deparse(call))
    found[[owner]][[made]] <<- I(names(matched)[-1])
  } else if (!name %in% c("~", "c", "round", "library", "<-")) stop("no function of cito: ", name)
  for (part in as.list(call)[-1]) look(part, owner)
}
for (line in readLines("calls.txt")) look(parse(text = line)[[1]], line)
version <- read.dcf(file.path(folder, "DESCRIPTION"))[, "Version"]
write_json(list(version = paste("cito", version), calls = found), "out.json", auto_unbox = TRUE, pretty = TRUE)
"""


def main() -> None:
    """Write the file."""
    setup, listed = calls("cito")
    source = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lines = [*setup.strip().splitlines()[1:], *listed]
        (place / "calls.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (place / "run.R").write_text(RUN, encoding="utf-8")
        subprocess.run(["Rscript", "run.R", str(source)], cwd=place, check=True)
        found = json.loads((place / "out.json").read_text(encoding="utf-8"))
    (HERE / "cito.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

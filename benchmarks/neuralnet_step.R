# Microseconds of a step of R's neuralnet (rprop+, 1-10-5-15-1, n = 200): a line for each of so many repeats. A step is the
# difference of runs of 1200 and of 200 steps, so that what a call costs beside them does not count.
suppressMessages(library(neuralnet))
d <- data.frame(x = seq(0.05, 1, length.out = 200))
d$y <- sin(1 / d$x)
seconds <- function(steps) {
  set.seed(1)
  began <- proc.time()[["elapsed"]]
  suppressWarnings(neuralnet(y ~ x, d, hidden = c(10, 5, 15), threshold = 1e-12, stepmax = steps, rep = 1))
  proc.time()[["elapsed"]] - began
}
for (k in seq_len(as.integer(commandArgs(TRUE)[1]))) cat(1000 * (seconds(1200) - seconds(200)), "\n")
cat("version", as.character(packageVersion("neuralnet")), R.version.string, "\n")

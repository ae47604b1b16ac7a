# R's nnet (BFGS in C) from given starts: file of x, file of y, file of starts (a row each), units, maxit, repeats.
# Writes the seconds of every repeat (least is the one to compare), then the error (half sum of squares) of every start.
library(nnet)
a <- commandArgs(TRUE)
x <- matrix(scan(a[1], quiet = TRUE)); y <- scan(a[2], quiet = TRUE); w <- as.matrix(read.table(a[3]))
seconds <- c()
for (r in seq_len(as.integer(a[6]))) {
  t0 <- proc.time()[["elapsed"]]
  c0 <- sum(proc.time()[1:2])
  error <- apply(w, 1, function(s) nnet.default(x, y, size = as.integer(a[4]), linout = TRUE, Wts = s,
                 maxit = as.integer(a[5]), trace = FALSE, MaxNWts = 10000)$value / 2)
  seconds <- rbind(seconds, c(proc.time()[["elapsed"]] - t0, sum(proc.time()[1:2]) - c0))
}
cat("seconds", seconds[, 1], "\n"); cat("cpu", seconds[, 2], "\n"); cat("error", format(error, digits = 17), "\n")
cat("version", as.character(packageVersion("nnet")), R.version.string, "\n")

# Data and mgcv's fits for tests/formula/test_smooths.py (R 4, mgcv 1.8-41): Rscript smooths.R, in this folder.
suppressMessages({library(mgcv); library(MASS); library(jsonlite)})
set.seed(17)
n <- 200
d <- data.frame(x = runif(n), z = runif(n, -2, 2), t = runif(n, 0, 12), g = sample(c("a", "b", "c"), n, TRUE))
d$surface <- sin(4 * d$x) * exp(-d$z^2) + d$x * d$z + rnorm(n, sd = 0.3)
d$levels <- c(a = 0, b = 1, c = -1)[d$g] + ifelse(d$g == "a", sin(6 * d$x), ifelse(d$g == "b", 4 * (d$x - 0.5)^2, 0)) +
  rnorm(n, sd = 0.3)
d$season <- cos(2 * pi * d$t / 12) + 0.5 * sin(4 * pi * d$t / 12) + rnorm(n, sd = 0.4)
d$varying <- 1 + d$z * (1 + sin(5 * d$x)) + rnorm(n, sd = 0.5)
number <- sapply(d, is.numeric)
d[number] <- round(d[number], 5)
d$tail <- signif(exp(2.5 * rnorm(n)), 6)
write.csv(d, "smooths.csv", row.names = FALSE, quote = FALSE)

fits <- list(
  list("accel ~ s(times, k = 10, bs = 'cr')", mcycle),
  list("accel ~ s(times, k = 20, bs = 'cr')", mcycle),
  list("accel ~ s(times, k = 12, bs = 'ps')", mcycle),
  list("surface ~ te(x, z)", d),
  list("surface ~ te(x, z, k = c(4, 7), bs = c('cr', 'ps'))", d),
  list("surface ~ s(x, k = 6, bs = 'ps') + te(t, z, k = c(6, 4), bs = c('cc', 'cr'))", d),
  list("levels ~ g + s(x, by = g, bs = 'cr', k = 8)", d),
  list("levels ~ s(x, by = g, bs = 'cr', k = 8)", d),
  list("season ~ s(t, bs = 'cc', k = 9)", d),
  list("varying ~ s(x, by = z, bs = 'cr', k = 7)", d),
  list("surface ~ s(x, bs = 'cr') + s(z, bs = 'cr') + t", d),
  list("accel ~ s(times, k = 9, bs = 'tp')", mcycle),
  list("levels ~ g + s(x, k = 5, bs = 'tp', by = g)", d),
  list("surface ~ te(x, z, k = c(5, 4), bs = c('tp', 'cr'))", d),
  list("varying ~ s(tail, k = 9, bs = 'cr') + s(x, k = 6, bs = 'tp', by = z)", d),
  list("levels ~ g + te(x, z, k = 4, by = g)", d),
  list("varying ~ te(x, t, k = c(5, 4), bs = c('cr', 'cc'), by = z)", d),
  list("varying ~ te(tail, z, k = c(5, 4), bs = 'cr')", d)
)
exact <- gam.control(epsilon = 1e-12, newton = list(conv.tol = 1e-10))
new <- data.frame(x = c(-0.3, 0, 0.37, 0.8, 1.4), z = c(-3, 0.2, -1, 2.5, 1), t = c(-1, 0.1, 6, 11.9, 14),
                  g = c("a", "b", "c", "a", "b"), times = c(0, 2.4, 20.3, 57.6, 70), tail = c(0, 1e-3, 1, 40, 1e4))
made <- lapply(fits, function(f) {
  data <- f[[2]]
  if ("g" %in% names(data)) data$g <- factor(data$g)
  m <- gam(as.formula(f[[1]]), data = data, method = "REML", control = exact)
  s <- summary(m)
  beyond <- if ("times" %in% names(data)) new else transform(new, g = factor(g, levels = c("a", "b", "c")))
  list(formula = f[[1]], edf = as.numeric(s$edf), phi = m$sig2, reml = as.numeric(m$gcv.ubre),
       fitted = signif(as.numeric(fitted(m)), 9), new = signif(as.numeric(predict(m, beyond)), 9),
       names = sapply(m$smooth, function(s) s$label))
})
write(toJSON(list(new = new, fits = made), digits = NA, auto_unbox = TRUE), "smooths.json")

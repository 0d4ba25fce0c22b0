"""Risk measures; each with a confidence interval and its convention named."""

"""Reading the ledger: groups, outliers, trends, the worst orders, and what stress would cost."""

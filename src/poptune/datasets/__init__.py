"""The small data sets of the examples. None of the data is in this package: it is fetched, and checked."""

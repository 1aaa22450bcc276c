"""Kill, break and fill up everything that a run stands on, and see whether anything is lost.

``make torture`` runs all of it, ``make test`` a small part. Nothing here is needed to use poptune.
"""

"""What poptune does for single frameworks. Each room here is the only one that imports its framework."""

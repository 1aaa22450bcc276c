"""What every room may use: small types, names of files, checks, copies, records of settings."""

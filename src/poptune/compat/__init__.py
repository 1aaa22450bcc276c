"""Other libraries' interfaces over this one."""

"""The pure heart: a deterministic state machine that turns events into commands.

Nothing in this room knows a clock, a file, a thread, a process or a global random state.
"""

"""Who carries out: the tuner that a user calls, the controller's loop, executors and their workers' desk."""

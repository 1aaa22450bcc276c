"""What outlives a session: checkpoints, the journal, remote storage and its mirror."""

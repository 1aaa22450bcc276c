"""The DCGAN of the incumbent's guide."""

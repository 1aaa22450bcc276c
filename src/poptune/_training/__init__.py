"""What is imported inside workers: the session behind ``report()``, and the loop that runs trials. Light."""

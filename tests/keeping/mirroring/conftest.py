from remote_folders import cache, remote, url

__all__ = ["cache", "remote", "url"]

"""Howdah beside its peers: the same work, the same server, in turns."""

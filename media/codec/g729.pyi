"""Nothing for Python: see `media.codec.coder`."""

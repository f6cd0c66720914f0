"""The routes that are there for keys of role `admin` alone."""

"""Version of the package; ``setup.py`` reads it without importing anything."""

version = "4.0.0.dev0"

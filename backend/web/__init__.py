"""The web app: the files that `make setup` builds from `web/`."""

"""The top layer of Bizzan: command line, supervisor, client, audit and demo."""

"""Demo traffic: makers and takers with wallets of their own who trade around a real price series.

They use the public API and the public contracts only, like any user.
"""

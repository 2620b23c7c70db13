"""A pytest plugin: the contracts are compiled from the folder that `BIZZAN_MUTANT` names, under `build/mutants`."""

import os

import bizzan.contracts
from bizzan.contracts import ROOT

bizzan.contracts.SOURCES = ROOT / os.environ["BIZZAN_MUTANT"]
bizzan.contracts.BUILD = ROOT / "build" / "mutants" / "artifacts"

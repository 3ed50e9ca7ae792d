"""The families of backbones: one folder and one line here for each, in the order of `ppcls models`."""
# ruff: noqa: F403, I001

from ppcls.arch.families.dla import *
from ppcls.arch.families.dpn import *
from ppcls.arch.families.alexnet import *
from ppcls.arch.families.squeezenet import *
from ppcls.arch.families.darknet import *
from ppcls.arch.families.senet import *

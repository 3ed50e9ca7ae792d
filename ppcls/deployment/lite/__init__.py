"""Forms of a bundle for Paddle Lite, the runtime of phones and small ARM machines: `ppcls lite`.

`environment` finds or makes the Python 3.7 that Paddle Lite's converter needs, `worker` runs there, `converter` starts
it, and `add` does it all, writes what a program on the device reads instead of the manifest, compares the scores, and
adds the form to the bundle.
"""

from ppcls.deployment.lite.add import LiteOptions, LiteResult, add_lite

__all__ = ["LiteOptions", "LiteResult", "add_lite"]
